//! `wasi:filesystem`, linked only for calls with a directory granted. Reading is wasmtime-wasi's, beneath the granted
//! handle; everything that opens, writes, makes, renames or removes goes through [`host`], which counts it against the
//! call's quotas and looks at where it really happens. Must not open a guest's path but below a granted handle.
//!
//! What a guest gets, beside what WASI says:
//! - only regular files and directories are opened; anything can be listed and `stat`ed;
//! - nothing below a directory granted for reading changes, also where that lies in one granted for writing;
//! - symbolic links are made only if they stay inside, and moving one does not change that;
//! - hard links are not made: a second name would go round every rule about names;
//! - in protected directories, [`PROTECTED`] names stay as they are.

mod again;
mod host;
mod listing;
mod look;
mod names;
mod open;
mod place;
mod played;
mod protect;
mod quota;
mod stream;
mod taped;

pub use protect::PROTECTED;
pub(crate) use quota::Quota;

use crate::Preopen;
use crate::state::State;
use again::Lost;
use listing::Listing;
use place::Roots;
use std::os::fd::AsRawFd as _;
use std::sync::Arc;
use taped::{Taped, taped};
use wasmtime::StoreContextMut;
use wasmtime::component::{HasData, Linker, Resource, ResourceType};
use wasmtime_wasi::filesystem::{Descriptor, WasiFilesystem, WasiFilesystemView as _};
use wasmtime_wasi::p2::bindings::filesystem::{preopens, types};
use wasmtime_wasi::{FsPerms, WasiCtxBuilder, WasiView as _};

/// Name under which wasmtime-wasi links the interface; a test lists a large directory to see that we replaced the
/// functions.
const TYPES: &str = "wasi:filesystem/types@0.2.12";

/// What the store holds for files.
#[derive(Default)]
pub(crate) struct Files {
    roots: Roots,
    quota: Arc<Quota>,
    lost: Lost,
}

impl Files {
    pub(crate) fn new(files: &[Preopen]) -> Arc<Self> {
        Arc::new(Self {
            roots: Roots::new(files),
            quota: Arc::default(),
            lost: Lost::default(),
        })
    }

    pub(crate) fn quota(&self) -> &Quota {
        &self.quota
    }
}

/// Marks the data that the host functions get.
struct Fs;

impl HasData for Fs {
    type Data<'a> = Taped<'a>;
}

pub(crate) fn link(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    preopens::add_to_linker::<State, WasiFilesystem>(linker, State::filesystem)?;
    types::add_to_linker::<State, Fs>(linker, taped)?;
    linker.allow_shadowing(true);
    link_listings(linker)?;
    linker.allow_shadowing(false);
    Ok(())
}

/// Listings of our own instead of wasmtime-wasi's, which hold a whole directory in memory.
fn link_listings(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    let mut types = linker.instance(TYPES)?;
    types.resource(
        "directory-entry-stream",
        ResourceType::host::<Listing>(),
        |mut store, rep| {
            let table = store.data_mut().ctx().table;
            table.delete(Resource::<Listing>::new_own(rep))?;
            Ok(())
        },
    )?;
    types.func_wrap_async(
        "[method]descriptor.read-directory",
        |mut store: StoreContextMut<'_, State>, (dir,): (Resource<Descriptor>,)| {
            Box::new(async move { Ok((taped(store.data_mut()).list(dir).await?,)) })
        },
    )?;
    types.func_wrap_async(
        "[method]directory-entry-stream.read-directory-entry",
        |mut store: StoreContextMut<'_, State>, (listing,): (Resource<Listing>,)| {
            Box::new(async move {
                let table = store.data_mut().ctx().table;
                Ok((table.get_mut(&listing)?.next().await?,))
            })
        },
    )
}

/// Puts the granted directories into a WASI context.
pub(crate) fn grant(files: &[Preopen]) -> Result<WasiCtxBuilder, String> {
    let mut builder = WasiCtxBuilder::new();
    for file in files {
        let perms = if file.write {
            FsPerms::ReadWrite
        } else {
            FsPerms::ReadOnly
        };
        // wasmtime-wasi takes paths only. This one names the open handle itself, so that it cannot be swapped.
        let path = format!("/proc/self/fd/{}", file.dir.as_raw_fd());
        builder
            .preopened_dir(&path, &file.guest, perms)
            .map_err(|error| {
                format!(
                    "cannot hand the directory {} to the plugin: {error}",
                    file.guest
                )
            })?;
    }
    Ok(builder)
}
