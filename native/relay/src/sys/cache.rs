//! The processor's caches.

/// As the processors we know have them.
#[cfg(target_arch = "x86_64")]
const LINE: usize = 64;

/// Has `it` on its way into the caches, and does not wait for it.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
pub(crate) fn prefetch<T: ?Sized>(it: &T) {
    use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
    let first = std::ptr::from_ref(it).cast::<i8>();
    for at in (0..size_of_val(it)).step_by(LINE) {
        // SAFETY: a hint about an address, whatever is there; nothing is read or written.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(first.wrapping_add(at)) };
    }
}

/// Where Rust has no such hint, everything works the same.
#[cfg(not(target_arch = "x86_64"))]
pub(crate) fn prefetch<T: ?Sized>(_: &T) {}
