//! envd's messages and RPCs, generated from `proto/` by `buf generate`, and their JSON form. Responsible for
//! names and encodings only: no transport, no behaviour.

pub mod json;
pub mod rpc;

/// Package `process`: the messages, and in [`process::rpc`] the RPCs.
#[expect(missing_docs, clippy::all, reason = "generated; proto/process/process.proto documents it")]
pub mod process {
    include!("gen/process.rs");
    /// One marker type for each RPC of `process.Process`.
    pub mod rpc {
        include!("gen/process.rpc.rs");
    }
}

/// Package `filesystem`: the messages, and in [`filesystem::rpc`] the RPCs.
#[expect(missing_docs, clippy::all, reason = "generated; proto/filesystem/filesystem.proto documents it")]
pub mod filesystem {
    include!("gen/filesystem.rs");
    /// One marker type for each RPC of `filesystem.Filesystem`.
    pub mod rpc {
        include!("gen/filesystem.rpc.rs");
    }
}

/// The encoded `google.protobuf.FileDescriptorSet` of both packages and their imports.
pub const DESCRIPTORS: &[u8] = include_bytes!("envd.binpb");
