//! A C unwinder that finds no frames, for programs that never unwind.
//!
//! A program that aborts on a panic needs the stack unwinder for one thing only: the backtrace that the
//! standard library's own panic hook prints, which our programs replace. Yet linking it brings
//! in the library's reader of debug information, a third of a small program. With [`no_unwinder!`] in it,
//! the optimiser sees that the walk never meets a frame and drops all that would have printed one.
//! The standard library names these functions by C's rules, not by mangled names: should it come to
//! want one that is not here, the linker says so, loudly.

/// Defines the C unwinder's functions in this program, if it is a static one that aborts on panic.
#[macro_export]
macro_rules! no_unwinder {
    () => {
        #[cfg(all(
            target_env = "musl",
            target_feature = "crt-static",
            panic = "abort",
            any(target_arch = "x86_64", target_arch = "aarch64")
        ))]
        #[expect(unsafe_code, reason = "C calls them by these names; no other unwinder is linked")]
        mod unwinder {
            use std::ffi::{c_int, c_void};

            /// *End of stack*.
            #[unsafe(no_mangle)]
            extern "C" fn _Unwind_Backtrace(_: *const c_void, _: *const c_void) -> c_int {
                5
            }

            $crate::no_unwinder! { @never
                _Unwind_DeleteException _Unwind_FindEnclosingFunction _Unwind_GetCFA _Unwind_GetDataRelBase
                _Unwind_GetGR _Unwind_GetIP _Unwind_GetIPInfo _Unwind_GetLanguageSpecificData
                _Unwind_GetRegionStart _Unwind_GetTextRelBase _Unwind_RaiseException _Unwind_Resume
                _Unwind_SetGR _Unwind_SetIP
            }
        }
    };
    // Only called while something unwinds or with a frame in hand.
    (@never $($name:ident)+) => {
        $(
            #[unsafe(no_mangle)]
            extern "C" fn $name() -> ! {
                std::process::abort()
            }
        )+
    };
}
