//! `wasi:filesystem` over [`crate::storage`].

use super::bindings::clocks::wall_clock::Datetime;
use super::bindings::filesystem::{preopens, types};
use crate::enforce::Guest;
use crate::storage::{
    Descriptor, DescriptorRef, Directory, EntryStream, FileReader, FileWriter, Follow, NewTime,
    OpenFile, OpenRequest, Stat, StorageError, StorageResult, Times, WriteAt,
};
use rustix::fs::FileType;
use sha2::{Digest as _, Sha256};
use std::os::unix::fs::FileExt;
use types::{DescriptorFlags, DescriptorType, ErrorCode, NewTimestamp, OpenFlags, PathFlags};
use wasmtime::component::Resource;
use wasmtime_wasi_io::streams::{DynInputStream, DynOutputStream};

/// Bytes that one `read` returns at the most.
const MAX_READ: u64 = 64 * 1024;

fn follow(flags: PathFlags) -> Follow {
    if flags.contains(PathFlags::SYMLINK_FOLLOW) {
        Follow::Yes
    } else {
        Follow::No
    }
}

fn descriptor_type(kind: FileType) -> DescriptorType {
    match kind {
        FileType::RegularFile => DescriptorType::RegularFile,
        FileType::Directory => DescriptorType::Directory,
        FileType::Symlink => DescriptorType::SymbolicLink,
        FileType::Fifo => DescriptorType::Fifo,
        FileType::Socket => DescriptorType::Socket,
        FileType::CharacterDevice => DescriptorType::CharacterDevice,
        FileType::BlockDevice => DescriptorType::BlockDevice,
        FileType::Unknown => DescriptorType::Unknown,
    }
}

fn datetime(time: Option<(u64, u32)>) -> Option<Datetime> {
    time.map(|(seconds, nanoseconds)| Datetime {
        seconds,
        nanoseconds,
    })
}

fn descriptor_stat(stat: &Stat) -> types::DescriptorStat {
    types::DescriptorStat {
        type_: descriptor_type(stat.kind),
        link_count: stat.links,
        size: stat.size,
        data_access_timestamp: datetime(stat.accessed),
        data_modification_timestamp: datetime(stat.modified),
        status_change_timestamp: datetime(stat.changed),
    }
}

/// Two words that identify an object without telling its device or inode number.
fn metadata_hash(stat: &Stat) -> types::MetadataHashValue {
    let mut hasher = Sha256::new();
    hasher.update(stat.identity.0.to_le_bytes());
    hasher.update(stat.identity.1.to_le_bytes());
    let mut words = hasher
        .finalize()
        .chunks_exact(8)
        .filter_map(|chunk| chunk.try_into().ok())
        .map(u64::from_le_bytes)
        .collect::<Vec<_>>()
        .into_iter();
    types::MetadataHashValue {
        lower: words.next().unwrap_or_default(),
        upper: words.next().unwrap_or_default(),
    }
}

fn new_time(time: NewTimestamp) -> NewTime {
    match time {
        NewTimestamp::NoChange => NewTime::Keep,
        NewTimestamp::Now => NewTime::Now,
        NewTimestamp::Timestamp(time) => NewTime::At(time.seconds, time.nanoseconds),
    }
}

impl Guest {
    fn directory(&self, descriptor: &Resource<Descriptor>) -> StorageResult<Directory> {
        match self.table().get(descriptor)? {
            Descriptor::Directory(directory) => Ok(directory.clone()),
            Descriptor::File(_) => Err(ErrorCode::NotDirectory.into()),
        }
    }

    fn mutable_directory(&self, descriptor: &Resource<Descriptor>) -> StorageResult<Directory> {
        let directory = self.directory(descriptor)?;
        if directory.mutable {
            Ok(directory)
        } else {
            Err(ErrorCode::ReadOnly.into())
        }
    }

    fn file(&self, descriptor: &Resource<Descriptor>) -> StorageResult<OpenFile> {
        match self.table().get(descriptor)? {
            Descriptor::File(file) => Ok(file.clone()),
            Descriptor::Directory(_) => Err(ErrorCode::IsDirectory.into()),
        }
    }

    fn writable_file(&self, descriptor: &Resource<Descriptor>) -> StorageResult<OpenFile> {
        let file = self.file(descriptor)?;
        if file.write {
            Ok(file)
        } else {
            Err(ErrorCode::BadDescriptor.into())
        }
    }

    fn readable_file(&self, descriptor: &Resource<Descriptor>) -> StorageResult<OpenFile> {
        let file = self.file(descriptor)?;
        if file.read {
            Ok(file)
        } else {
            Err(ErrorCode::BadDescriptor.into())
        }
    }

    /// Runs a storage operation in the I/O pool; waiting for it moves the call's clock on.
    ///
    /// Borrows nothing: a store's data may not be shared with another thread while it waits.
    fn io<T, F>(&self, operation: F) -> impl Future<Output = StorageResult<T>> + Send + use<T, F>
    where
        T: Send + 'static,
        F: FnOnce(&crate::storage::Storage) -> StorageResult<T> + Send + 'static,
    {
        let storage = self.storage().clone();
        let clock = self.clock().clone();
        async move { clock.waiting(storage.run(operation)).await }
    }

    fn stat_of(
        &self,
        descriptor: DescriptorRef,
    ) -> impl Future<Output = StorageResult<Stat>> + Send + use<> {
        self.io(move |storage| storage.stat_descriptor(&descriptor))
    }
}

impl preopens::Host for Guest {
    fn get_directories(&mut self) -> wasmtime::Result<Vec<(Resource<Descriptor>, String)>> {
        let grant = self.grant();
        let mounts = grant.mounts();
        if mounts.is_empty() {
            self.trail().looked_for_files();
        }
        let mut directories = Vec::with_capacity(mounts.len());
        for mount in mounts {
            let directory = Descriptor::Directory(Directory {
                mount: mount.clone(),
                path: mount.guest.clone(),
                mutable: true,
            });
            let path = mount.guest.as_str().to_owned();
            directories.push((self.table_mut().push(directory)?, path));
        }
        Ok(directories)
    }
}

impl types::Host for Guest {
    fn convert_error_code(&mut self, error: StorageError) -> wasmtime::Result<ErrorCode> {
        match error {
            StorageError::Code(code) => Ok(code),
            StorageError::Trap(error) => Err(error),
        }
    }

    fn filesystem_error_code(
        &mut self,
        error: Resource<wasmtime_wasi_io::streams::Error>,
    ) -> wasmtime::Result<Option<ErrorCode>> {
        let error = self.table().get(&error)?;
        Ok(error.downcast_ref::<std::io::Error>().map(|error| {
            rustix::io::Errno::from_io_error(error).map_or(ErrorCode::Io, crate::storage::code)
        }))
    }
}

impl types::HostDirectoryEntryStream for Guest {
    async fn read_directory_entry(
        &mut self,
        stream: Resource<EntryStream>,
    ) -> StorageResult<Option<types::DirectoryEntry>> {
        loop {
            let entries = self.table_mut().get_mut(&stream)?;
            if let Some(next) = entries.next() {
                return Ok(next?.map(|(kind, name)| types::DirectoryEntry {
                    type_: descriptor_type(kind),
                    name,
                }));
            }
            let listing = entries.listing();
            let batch = self
                .io(move |storage| storage.more_entries(&listing))
                .await?;
            self.table_mut().get_mut(&stream)?.take(batch);
        }
    }

    fn drop(&mut self, stream: Resource<EntryStream>) -> wasmtime::Result<()> {
        self.table_mut().delete(stream)?;
        Ok(())
    }
}

impl types::HostDescriptor for Guest {
    fn read_via_stream(
        &mut self,
        descriptor: Resource<Descriptor>,
        offset: u64,
    ) -> StorageResult<Resource<DynInputStream>> {
        let file = self.readable_file(&descriptor)?;
        let pool = self.storage().pool.clone();
        let stream: DynInputStream = Box::new(FileReader::new(&file, offset, pool));
        Ok(self.table_mut().push(stream)?)
    }

    fn write_via_stream(
        &mut self,
        descriptor: Resource<Descriptor>,
        offset: u64,
    ) -> StorageResult<Resource<DynOutputStream>> {
        let file = self.writable_file(&descriptor)?;
        let at = WriteAt::Offset(offset);
        let stream: DynOutputStream = Box::new(FileWriter::new(&file, at, self.storage()));
        Ok(self.table_mut().push(stream)?)
    }

    fn append_via_stream(
        &mut self,
        descriptor: Resource<Descriptor>,
    ) -> StorageResult<Resource<DynOutputStream>> {
        let file = self.writable_file(&descriptor)?;
        let at = WriteAt::End;
        let stream: DynOutputStream = Box::new(FileWriter::new(&file, at, self.storage()));
        Ok(self.table_mut().push(stream)?)
    }

    fn advise(
        &mut self,
        descriptor: Resource<Descriptor>,
        _offset: u64,
        _length: u64,
        _advice: types::Advice,
    ) -> StorageResult<()> {
        // Advice changes no result; taking it would only let a guest move the page cache.
        self.file(&descriptor)?;
        Ok(())
    }

    async fn sync_data(&mut self, descriptor: Resource<Descriptor>) -> StorageResult<()> {
        self.sync(descriptor).await
    }

    fn get_flags(&mut self, descriptor: Resource<Descriptor>) -> StorageResult<DescriptorFlags> {
        Ok(match self.table().get(&descriptor)? {
            Descriptor::Directory(directory) if directory.mutable => {
                DescriptorFlags::READ | DescriptorFlags::MUTATE_DIRECTORY
            }
            Descriptor::Directory(_) => DescriptorFlags::READ,
            Descriptor::File(file) => {
                let mut flags = DescriptorFlags::empty();
                if file.read {
                    flags |= DescriptorFlags::READ;
                }
                if file.write {
                    flags |= DescriptorFlags::WRITE;
                }
                flags
            }
        })
    }

    fn get_type(&mut self, descriptor: Resource<Descriptor>) -> StorageResult<DescriptorType> {
        Ok(match self.table().get(&descriptor)? {
            Descriptor::Directory(_) => DescriptorType::Directory,
            Descriptor::File(_) => DescriptorType::RegularFile,
        })
    }

    async fn set_size(&mut self, descriptor: Resource<Descriptor>, size: u64) -> StorageResult<()> {
        let file = self.writable_file(&descriptor)?;
        self.io(move |storage| storage.set_size(&file, size)).await
    }

    async fn set_times(
        &mut self,
        descriptor: Resource<Descriptor>,
        accessed: NewTimestamp,
        modified: NewTimestamp,
    ) -> StorageResult<()> {
        let file = self.writable_file(&descriptor)?;
        let times = Times {
            accessed: new_time(accessed),
            modified: new_time(modified),
        };
        self.io(move |storage| storage.set_times(&file, times))
            .await
    }

    async fn read(
        &mut self,
        descriptor: Resource<Descriptor>,
        length: u64,
        offset: u64,
    ) -> StorageResult<(Vec<u8>, bool)> {
        let file = self.readable_file(&descriptor)?;
        self.io(move |_storage| {
            let wanted = usize::try_from(length.min(MAX_READ)).unwrap_or_default();
            let mut buffer = vec![0; wanted];
            let count = file.file.read_at(&mut buffer, offset)?;
            buffer.truncate(count);
            Ok((buffer, count == 0 && wanted > 0))
        })
        .await
    }

    async fn write(
        &mut self,
        descriptor: Resource<Descriptor>,
        buffer: Vec<u8>,
        offset: u64,
    ) -> StorageResult<u64> {
        let file = self.writable_file(&descriptor)?;
        self.io(move |storage| storage.write(&file, &buffer, offset))
            .await
    }

    async fn read_directory(
        &mut self,
        descriptor: Resource<Descriptor>,
    ) -> StorageResult<Resource<EntryStream>> {
        let directory = self.directory(&descriptor)?;
        let stream = self
            .io(move |storage| storage.read_directory(&directory))
            .await?;
        Ok(self.table_mut().push(stream)?)
    }

    async fn sync(&mut self, descriptor: Resource<Descriptor>) -> StorageResult<()> {
        let DescriptorRef::File(file) = self.table().get(&descriptor)?.to_ref() else {
            return Ok(());
        };
        if !file.write {
            return Ok(());
        }
        self.io(move |_storage| Ok(file.file.sync_data()?)).await
    }

    async fn create_directory_at(
        &mut self,
        descriptor: Resource<Descriptor>,
        path: String,
    ) -> StorageResult<()> {
        let directory = self.mutable_directory(&descriptor)?;
        self.io(move |storage| storage.create_directory(&directory, &path))
            .await
    }

    async fn stat(
        &mut self,
        descriptor: Resource<Descriptor>,
    ) -> StorageResult<types::DescriptorStat> {
        let descriptor = self.table().get(&descriptor)?.to_ref();
        Ok(descriptor_stat(&self.stat_of(descriptor).await?))
    }

    async fn stat_at(
        &mut self,
        descriptor: Resource<Descriptor>,
        flags: PathFlags,
        path: String,
    ) -> StorageResult<types::DescriptorStat> {
        let directory = self.directory(&descriptor)?;
        let stat = self
            .io(move |storage| storage.stat_at(&directory, &path, follow(flags)))
            .await?;
        Ok(descriptor_stat(&stat))
    }

    async fn set_times_at(
        &mut self,
        descriptor: Resource<Descriptor>,
        flags: PathFlags,
        path: String,
        accessed: NewTimestamp,
        modified: NewTimestamp,
    ) -> StorageResult<()> {
        let directory = self.mutable_directory(&descriptor)?;
        let times = Times {
            accessed: new_time(accessed),
            modified: new_time(modified),
        };
        self.io(move |storage| storage.set_times_at(&directory, &path, follow(flags), times))
            .await
    }

    async fn link_at(
        &mut self,
        descriptor: Resource<Descriptor>,
        _flags: PathFlags,
        path: String,
        new_descriptor: Resource<Descriptor>,
        new_path: String,
    ) -> StorageResult<()> {
        let from = self.directory(&descriptor)?;
        let to = self.mutable_directory(&new_descriptor)?;
        self.io(move |storage| storage.link(&from, &path, &to, &new_path))
            .await
    }

    async fn open_at(
        &mut self,
        descriptor: Resource<Descriptor>,
        path_flags: PathFlags,
        path: String,
        open_flags: OpenFlags,
        flags: DescriptorFlags,
    ) -> StorageResult<Resource<Descriptor>> {
        let directory = self.directory(&descriptor)?;
        let request = OpenRequest {
            follow: follow(path_flags),
            create: open_flags.contains(OpenFlags::CREATE),
            directory: open_flags.contains(OpenFlags::DIRECTORY),
            exclusive: open_flags.contains(OpenFlags::EXCLUSIVE),
            truncate: open_flags.contains(OpenFlags::TRUNCATE),
            read: flags.contains(DescriptorFlags::READ),
            write: flags.contains(DescriptorFlags::WRITE),
            mutate: flags.contains(DescriptorFlags::MUTATE_DIRECTORY),
        };
        if !directory.mutable && (request.create || request.truncate || request.write) {
            return Err(ErrorCode::ReadOnly.into());
        }
        let opened = self
            .io(move |storage| storage.open(&directory, &path, request))
            .await?;
        Ok(self.table_mut().push(opened)?)
    }

    async fn readlink_at(
        &mut self,
        descriptor: Resource<Descriptor>,
        path: String,
    ) -> StorageResult<String> {
        let directory = self.directory(&descriptor)?;
        self.io(move |storage| storage.read_link(&directory, &path))
            .await
    }

    async fn remove_directory_at(
        &mut self,
        descriptor: Resource<Descriptor>,
        path: String,
    ) -> StorageResult<()> {
        let directory = self.mutable_directory(&descriptor)?;
        self.io(move |storage| storage.remove_directory(&directory, &path))
            .await
    }

    async fn rename_at(
        &mut self,
        descriptor: Resource<Descriptor>,
        path: String,
        new_descriptor: Resource<Descriptor>,
        new_path: String,
    ) -> StorageResult<()> {
        let from = self.mutable_directory(&descriptor)?;
        let to = self.mutable_directory(&new_descriptor)?;
        self.io(move |storage| storage.rename(&from, &path, &to, &new_path))
            .await
    }

    async fn symlink_at(
        &mut self,
        descriptor: Resource<Descriptor>,
        target: String,
        path: String,
    ) -> StorageResult<()> {
        let directory = self.mutable_directory(&descriptor)?;
        self.io(move |storage| storage.symlink(&directory, &target, &path))
            .await
    }

    async fn unlink_file_at(
        &mut self,
        descriptor: Resource<Descriptor>,
        path: String,
    ) -> StorageResult<()> {
        let directory = self.mutable_directory(&descriptor)?;
        self.io(move |storage| storage.unlink(&directory, &path))
            .await
    }

    async fn is_same_object(
        &mut self,
        descriptor: Resource<Descriptor>,
        other: Resource<Descriptor>,
    ) -> wasmtime::Result<bool> {
        let first = self.table().get(&descriptor)?.to_ref();
        let second = self.table().get(&other)?.to_ref();
        let (first, second) = (self.stat_of(first), self.stat_of(second));
        let identities =
            async { Ok::<_, StorageError>((first.await?.identity, second.await?.identity)) };
        match identities.await {
            Ok((first, second)) => Ok(first == second),
            Err(StorageError::Code(_)) => Ok(false),
            Err(StorageError::Trap(error)) => Err(error),
        }
    }

    async fn metadata_hash(
        &mut self,
        descriptor: Resource<Descriptor>,
    ) -> StorageResult<types::MetadataHashValue> {
        let descriptor = self.table().get(&descriptor)?.to_ref();
        Ok(metadata_hash(&self.stat_of(descriptor).await?))
    }

    async fn metadata_hash_at(
        &mut self,
        descriptor: Resource<Descriptor>,
        flags: PathFlags,
        path: String,
    ) -> StorageResult<types::MetadataHashValue> {
        let directory = self.directory(&descriptor)?;
        let stat = self
            .io(move |storage| storage.stat_at(&directory, &path, follow(flags)))
            .await?;
        Ok(metadata_hash(&stat))
    }

    fn drop(&mut self, descriptor: Resource<Descriptor>) -> wasmtime::Result<()> {
        self.table_mut().delete(descriptor)?;
        Ok(())
    }
}
