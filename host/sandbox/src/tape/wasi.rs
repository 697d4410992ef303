//! The words of WASI on a tape.

use super::word::{cases, record};
use super::{Put, Reader, Word};
use wasmtime_wasi::p2::bindings::clocks::wall_clock::Datetime;
use wasmtime_wasi::p2::bindings::filesystem::types::{
    Advice, DescriptorFlags, DescriptorStat, DescriptorType, DirectoryEntry, ErrorCode,
    MetadataHashValue, NewTimestamp, OpenFlags, PathFlags,
};

record!(Datetime {
    seconds,
    nanoseconds
});
record!(MetadataHashValue { lower, upper });
record!(DescriptorStat {
    type_,
    link_count,
    size,
    data_access_timestamp,
    data_modification_timestamp,
    status_change_timestamp,
});
record!(DirectoryEntry { type_, name });

cases!(DescriptorType {
    0 => Unknown, 1 => BlockDevice, 2 => CharacterDevice, 3 => Directory, 4 => Fifo, 5 => SymbolicLink, 6 => RegularFile,
    7 => Socket,
});
cases!(NewTimestamp { 0 => NoChange, 1 => Now, 2 => Timestamp(at) });
cases!(Advice { 0 => Normal, 1 => Sequential, 2 => Random, 3 => WillNeed, 4 => DontNeed, 5 => NoReuse });
cases!(ErrorCode {
    0 => Access, 1 => WouldBlock, 2 => Already, 3 => BadDescriptor, 4 => Busy, 5 => Deadlock, 6 => Quota, 7 => Exist,
    8 => FileTooLarge, 9 => IllegalByteSequence, 10 => InProgress, 11 => Interrupted, 12 => Invalid, 13 => Io,
    14 => IsDirectory, 15 => Loop, 16 => TooManyLinks, 17 => MessageSize, 18 => NameTooLong, 19 => NoDevice, 20 => NoEntry,
    21 => NoLock, 22 => InsufficientMemory, 23 => InsufficientSpace, 24 => NotDirectory, 25 => NotEmpty,
    26 => NotRecoverable, 27 => Unsupported, 28 => NoTty, 29 => NoSuchDevice, 30 => Overflow, 31 => NotPermitted,
    32 => Pipe, 33 => ReadOnly, 34 => InvalidSeek, 35 => TextFileBusy, 36 => CrossDevice,
});

macro_rules! flags {
    ($type:ty { $($number:literal => $flag:ident),* }) => {
        impl Put for $type {
            fn put(&self, out: &mut Vec<u8>) {
                let mut bits = 0_u8;
                $(if self.contains(Self::$flag) { bits |= 1 << $number; })*
                bits.put(out);
            }
        }
        impl Word for $type {
            fn get(from: &mut Reader<'_>) -> Option<Self> {
                let bits = u8::get(from)?;
                let mut flags = Self::empty();
                $(if bits & (1 << $number) != 0 { flags |= Self::$flag; })*
                Some(flags)
            }
        }
    };
}
flags!(DescriptorFlags {
    0 => READ, 1 => WRITE, 2 => FILE_INTEGRITY_SYNC, 3 => DATA_INTEGRITY_SYNC, 4 => REQUESTED_WRITE_SYNC,
    5 => MUTATE_DIRECTORY
});
flags!(OpenFlags { 0 => CREATE, 1 => DIRECTORY, 2 => EXCLUSIVE, 3 => TRUNCATE });
flags!(PathFlags { 0 => SYMLINK_FOLLOW });
