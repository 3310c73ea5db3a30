//! An allocator for processes that live for a tenth of a millisecond.
//!
//! A general allocator spreads a few kilobytes over many pages, and the first touch of a page costs
//! a hook more than anything it computes (see `docs/PERFORMANCE.md`). [`Forward`] hands out one
//! static block front to back and takes back only the last piece; what does not fit goes to the
//! system's allocator. Memory safety rests on this file alone; nothing else in comm-node is unsafe.

mod unwinder;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::UnsafeCell;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The block's size. Untouched pages of it cost nothing.
const SIZE: usize = 512 << 10;
/// Larger pieces go to the system at once, so that one big input does not use the block up.
const LARGEST: usize = 128 << 10;

#[repr(align(16))]
struct Block(UnsafeCell<[u8; SIZE]>);

// SAFETY: the bytes are only handed out, never looked at, and `Forward::take` hands out no byte
// twice while it is in use.
unsafe impl Sync for Block {}

/// Behind all else that is zero at the start (`link/block-last.ld`): that lies in the page of the data then, and in the block's
/// first, instead of behind half a megabyte.
#[cfg_attr(target_env = "musl", unsafe(link_section = ".bss.comm_node_block"))]
static BLOCK: Block = Block(UnsafeCell::new([0; SIZE]));
/// The bytes of the block in use, from its front.
static USED: AtomicUsize = AtomicUsize::new(0);

/// The allocator; make it the program's with `#[global_allocator]`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Forward;

impl Forward {
    /// The offset of a fresh piece, `None` if it does not fit.
    fn take(layout: Layout) -> Option<usize> {
        if layout.size() > LARGEST || layout.align() > 16 {
            return None;
        }
        let mut used = USED.load(Ordering::Relaxed);
        loop {
            let start = used.checked_add(layout.align() - 1)? & !(layout.align() - 1);
            let end = start.checked_add(layout.size())?;
            if end > SIZE {
                return None;
            }
            match USED.compare_exchange_weak(used, end, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => return Some(start),
                Err(now) => used = now,
            }
        }
    }

    /// The offset of `pointer` in the block, `None` if it came from the system.
    fn offset(pointer: *mut u8) -> Option<usize> {
        let offset = (pointer as usize).wrapping_sub(BLOCK.0.get() as usize);
        (offset < SIZE).then_some(offset)
    }
}

// SAFETY: a piece is aligned because the block is aligned to 16 and offsets are rounded up to an alignment
// of at most that; it is not handed out again because `USED` only moves back over the
// last piece, and only by the call that gives that piece back.
unsafe impl GlobalAlloc for Forward {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        match Self::take(layout) {
            // SAFETY: `take` keeps `offset + size` within the block.
            Some(offset) => unsafe { BLOCK.0.get().cast::<u8>().add(offset) },
            // SAFETY: the caller's promises about `layout` are passed on.
            None => unsafe { System.alloc(layout) },
        }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        match Self::offset(pointer) {
            Some(offset) => {
                let end = offset + layout.size();
                // Only the last piece can be taken back; the rest ends with the process.
                let _ = USED.compare_exchange(end, offset, Ordering::Relaxed, Ordering::Relaxed);
            }
            // SAFETY: it is not from the block, so it is from the system, with this layout.
            None => unsafe { System.dealloc(pointer, layout) },
        }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        let Some(offset) = Self::offset(pointer) else {
            // SAFETY: it is from the system, with this layout.
            return unsafe { System.realloc(pointer, layout, size) };
        };
        let end = offset + layout.size();
        // The last piece grows and shrinks in place.
        if size <= LARGEST
            && offset + size <= SIZE
            && USED.compare_exchange(end, offset + size, Ordering::Relaxed, Ordering::Relaxed).is_ok()
        {
            return pointer;
        }
        if size <= layout.size() {
            return pointer;
        }
        // SAFETY: `size` is not 0 and does not overflow when rounded up to the alignment: the caller's promise.
        let new = unsafe { self.alloc(Layout::from_size_align_unchecked(size, layout.align())) };
        if !new.is_null() {
            // SAFETY: the new piece has at least `size` bytes, the old one `layout.size()`, which
            // is less, and they do not overlap because both are in use.
            unsafe { std::ptr::copy_nonoverlapping(pointer, new, layout.size()) };
        }
        new
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[global_allocator]
    static FORWARD: Forward = Forward;

    #[test]
    fn pieces_are_aligned_apart_and_survive_growth() {
        let mut vecs: Vec<Vec<u64>> = Vec::new();
        for i in 0..200u64 {
            vecs.push((0..i).map(|n| n * i).collect());
        }
        let aligned = Box::new(Aligned([7; 64]));
        assert_eq!(std::ptr::from_ref(&*aligned) as usize % 64, 0);
        assert_eq!(aligned.0, [7; 64]);
        for (i, vec) in (0u64..).zip(&vecs) {
            assert!(vec.iter().enumerate().all(|(n, v)| *v == n as u64 * i), "piece {i} was overwritten");
        }
    }

    #[repr(align(64))]
    struct Aligned([u8; 64]);

    #[test]
    fn more_than_the_block_holds_comes_from_the_system() {
        let large: Vec<u8> = vec![1; 4 << 20];
        let many: Vec<Box<[u8; 4096]>> = (0..400).map(|i| Box::new([i as u8; 4096])).collect();
        assert!(large.iter().all(|b| *b == 1));
        assert!(many.iter().enumerate().all(|(i, b)| b.iter().all(|v| *v == i as u8)));
    }

    #[test]
    fn threads_get_pieces_of_their_own() {
        let handles: Vec<_> = (0..8u8)
            .map(|n| {
                std::thread::spawn(move || (0..500).map(|_| vec![n; 33]).all(|v| v.iter().all(|b| *b == n)))
            })
            .collect();
        assert!(handles.into_iter().all(|h| h.join().expect("joins")));
    }
}
