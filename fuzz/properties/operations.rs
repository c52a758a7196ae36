//! Questions to a grant about files, about none of Casemate's own.

use casemate_policy::{LinkKind, Operation, StorageAccess, VirtualPath};

pub fn storage(path: &VirtualPath, access: StorageAccess) -> Operation<'_> {
    Operation::Storage {
        path,
        access,
        own: false,
    }
}

pub fn storage_link<'a>(
    from: &'a VirtualPath,
    to: &'a VirtualPath,
    kind: LinkKind,
) -> Operation<'a> {
    Operation::StorageLink {
        from,
        to,
        kind,
        own: false,
    }
}
