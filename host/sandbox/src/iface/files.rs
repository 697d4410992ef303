//! `wasi:filesystem`, linked only for calls with a directory granted. Paths are resolved by wasmtime-wasi beneath
//! the granted handle. Must not open a path by name on the host's side.

use crate::Preopen;
use crate::state::State;
use std::os::fd::AsRawFd as _;
use wasmtime::StoreContextMut;
use wasmtime::component::{Linker, Resource};
use wasmtime_wasi::filesystem::{Descriptor, WasiFilesystem, WasiFilesystemView as _};
use wasmtime_wasi::p2::FsError;
use wasmtime_wasi::p2::bindings::filesystem::{preopens, types};
use wasmtime_wasi::{FsPerms, WasiCtxBuilder};

/// Name under which wasmtime-wasi links the interface; a test opens a FIFO to see that we replaced the function.
const TYPES: &str = "wasi:filesystem/types@0.2.12";

pub(crate) fn link(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    preopens::add_to_linker::<State, WasiFilesystem>(linker, State::filesystem)?;
    types::add_to_linker::<State, WasiFilesystem>(linker, State::filesystem)?;
    linker.allow_shadowing(true);
    linker.instance(TYPES)?.func_wrap_async(
        "[method]descriptor.open-at",
        |mut store: StoreContextMut<'_, State>, params: OpenAt| {
            Box::new(async move { Ok((open_at(store.data_mut(), params).await?,)) })
        },
    )?;
    linker.allow_shadowing(false);
    Ok(())
}

type OpenAt = (
    Resource<Descriptor>,
    types::PathFlags,
    String,
    types::OpenFlags,
    types::DescriptorFlags,
);

/// Opens as WASI does, but only regular files and directories: to open a FIFO would park a thread until somebody
/// writes to it, and devices are nobody's data. A guest cannot make such files, so looking first is enough.
async fn open_at(
    state: &mut State,
    (dir, path_flags, path, open_flags, flags): OpenAt,
) -> wasmtime::Result<Result<Resource<Descriptor>, types::ErrorCode>> {
    use types::{DescriptorType, HostDescriptor as _};
    let mut view = state.filesystem();
    let look = Resource::new_borrow(dir.rep());
    // An error here is the error of the open that follows.
    if let Ok(stat) = view.stat_at(look, path_flags, path.clone()).await
        && !matches!(
            stat.type_,
            DescriptorType::RegularFile | DescriptorType::Directory | DescriptorType::SymbolicLink
        )
    {
        return Ok(Err(types::ErrorCode::NotPermitted));
    }
    match view.open_at(dir, path_flags, path, open_flags, flags).await {
        Ok(descriptor) => Ok(Ok(descriptor)),
        Err(error) => FsError::downcast(error).map(Err),
    }
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
