/// What a peer may make us hold before a chunk's body begins, in octets and lines.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Limits {
    /// Longest line, its CRLF not counted.
    pub line: usize,
    /// Longest header block, start line and blank line included.
    pub head: usize,
    /// Most header lines.
    pub headers: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { line: 16 * 1024, head: 64 * 1024, headers: 128 }
    }
}

/// The same in half the room: every direction of every session has them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    line: u32,
    head: u32,
    headers: u32,
}

impl Bounds {
    pub(crate) fn of(limits: Limits) -> Self {
        let half = |bound: usize| u32::try_from(bound).unwrap_or(u32::MAX);
        Self { line: half(limits.line), head: half(limits.head), headers: half(limits.headers) }
    }

    pub(crate) fn limits(self) -> Limits {
        let Self { line, head, headers } = self;
        Limits { line: line as usize, head: head as usize, headers: headers as usize }
    }
}
