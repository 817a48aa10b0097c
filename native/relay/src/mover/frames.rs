//! Frames of the relay's own in one direction. Hardly any direction ever has some, so that those
//! that have none hold one word.

/// See [`Kinds`].
#[derive(Debug, Default)]
pub(super) struct Frames(Option<Box<Kinds>>);

/// Whole frames, by what is to become of them.
#[derive(Debug, Default)]
pub(super) struct Kinds {
    /// For the receiver; they go between two chunks.
    pub(super) own: Vec<u8>,
    /// For the sender, made of input whose output is under way: whoever continues from the record
    /// makes them again, so nobody may have seen them before.
    pub(super) replies: Vec<u8>,
    /// For the sender, to be taken over by the opposite direction.
    pub(super) owed: Vec<u8>,
}

static NONE: Kinds = Kinds { own: Vec::new(), replies: Vec::new(), owed: Vec::new() };

impl Frames {
    pub(super) fn are_there(&self) -> bool {
        self.0.is_some()
    }

    pub(super) fn kinds(&self) -> &Kinds {
        self.0.as_deref().unwrap_or(&NONE)
    }

    /// Lets something happen to them.
    pub(super) fn edit<R>(&mut self, edit: impl FnOnce(&mut Kinds) -> R) -> R {
        if let Some(kinds) = &mut self.0 {
            let result = edit(kinds);
            self.0.take_if(|kinds| kinds.are_none());
            return result;
        }
        let mut kinds = Kinds::default();
        let result = edit(&mut kinds);
        if !kinds.are_none() {
            self.0 = Some(Box::new(kinds));
        }
        result
    }
}

impl Kinds {
    fn are_none(&self) -> bool {
        self.own.is_empty() && self.replies.is_empty() && self.owed.is_empty()
    }
}
