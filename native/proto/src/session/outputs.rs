//! What a session wants done. Most sessions are idle and want nothing, so that those hold one word.

use std::collections::VecDeque;

use super::Output;

/// In the order in which it is to be done.
#[derive(Clone, Debug, Default)]
pub(super) struct Outputs(Option<Box<Waiting>>);

#[derive(Clone, Debug, Default)]
struct Waiting(VecDeque<Output>);

impl Outputs {
    pub(super) fn push(&mut self, output: Output) {
        self.0.get_or_insert_default().0.push_back(output);
    }

    pub(super) fn extend(&mut self, outputs: impl IntoIterator<Item = Output>) {
        outputs.into_iter().for_each(|output| self.push(output));
    }

    pub(super) fn pop(&mut self) -> Option<Output> {
        let next = self.0.as_mut()?.0.pop_front();
        self.0.take_if(|waiting| waiting.0.is_empty());
        next
    }
}
