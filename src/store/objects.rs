//! Data files with their checksums: an object store that lets no damaged byte through.
//!
//! Whatever range is read, the blocks around it are read and compared with the checksums the segment
//! was committed with.

use std::collections::HashMap;
use std::fmt;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use async_trait::async_trait;
use datafusion::object_store::path::Path;
use datafusion::object_store::{
    Attributes, CopyOptions, Error, GetOptions, GetRange, GetResult, GetResultPayload, ListResult,
    MultipartUpload, ObjectMeta, ObjectStore, PutMultipartOptions, PutOptions, PutPayload,
    PutResult, Result,
};
use futures::StreamExt;
use futures::stream::BoxStream;

use super::error::StoreError;
use super::segment::BLOCK_BYTES;
use crate::ids::SegmentId;

/// What a segment file must look like.
#[derive(Clone, Debug)]
pub(crate) struct Expected {
    pub id: SegmentId,
    /// The table and version it is read for, for messages.
    pub owner: String,
    pub size_bytes: u64,
    pub block_checksums: Vec<u32>,
}

/// See the module.
#[derive(Debug)]
pub struct CheckedObjects {
    inner: Arc<dyn ObjectStore>,
    expected: RwLock<HashMap<Path, Arc<Expected>>>,
    /// Nothing keeps another process from collecting a file meanwhile.
    is_unlocked: AtomicBool,
}

impl CheckedObjects {
    pub(crate) fn new(inner: Arc<dyn ObjectStore>) -> Self {
        Self {
            inner,
            expected: RwLock::default(),
            is_unlocked: AtomicBool::new(false),
        }
    }

    pub(crate) fn is_unlocked(&self) -> bool {
        self.is_unlocked.load(Ordering::Relaxed)
    }

    /// Says whether files may vanish while they are being read.
    pub(crate) fn set_unlocked(&self, is_unlocked: bool) {
        self.is_unlocked.store(is_unlocked, Ordering::Relaxed);
    }

    /// Makes a file readable, under the checksums it was committed with.
    pub(crate) fn expect(&self, path: Path, expected: Expected) {
        let mut map = self
            .expected
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        map.insert(path, Arc::new(expected));
    }

    async fn checked(
        &self,
        expected: &Expected,
        location: &Path,
        range: Range<u64>,
    ) -> Result<GetResult> {
        let first = range.start / BLOCK_BYTES;
        let until = (range.end.div_ceil(BLOCK_BYTES) * BLOCK_BYTES).min(expected.size_bytes);
        let aligned = first * BLOCK_BYTES..until;
        let corrupt = |reason: String| Error::Generic {
            store: "warehouse",
            source: Box::new(StoreError::CorruptSegment {
                id: expected.id,
                owner: expected.owner.clone(),
                reason,
            }),
        };
        let options = GetOptions {
            range: Some(GetRange::Bounded(aligned.clone())),
            ..GetOptions::default()
        };
        let result = match self.inner.get_opts(location, options).await {
            Ok(result) => result,
            Err(Error::NotFound { .. }) if self.is_unlocked() => {
                return Err(Error::Generic {
                    store: "warehouse",
                    source: Box::new(StoreError::ChangedWhileRead),
                });
            }
            Err(Error::NotFound { .. }) => return Err(corrupt("its file is missing".into())),
            Err(error) => return Err(corrupt(format!("its file cannot be read: {error}"))),
        };
        let meta = result.meta.clone();
        if meta.size != expected.size_bytes {
            let found = meta.size;
            return Err(corrupt(format!(
                "its file has {found} bytes instead of {}",
                expected.size_bytes
            )));
        }
        let bytes = result.bytes().await?;
        for (number, block) in (first..).zip(bytes.chunks(BLOCK_BYTES as usize)) {
            if expected.block_checksums.get(number as usize) != Some(&crc32c::crc32c(block)) {
                return Err(corrupt(format!(
                    "the checksum of block {number} does not match"
                )));
            }
        }
        let start = (range.start - aligned.start) as usize;
        let asked = bytes.slice(start..start + (range.end - range.start) as usize);
        Ok(GetResult {
            payload: GetResultPayload::Stream(futures::stream::once(async { Ok(asked) }).boxed()),
            meta,
            range,
            attributes: Attributes::new(),
        })
    }
}

impl fmt::Display for CheckedObjects {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "checked {}", self.inner)
    }
}

#[async_trait]
impl ObjectStore for CheckedObjects {
    async fn put_opts(
        &self,
        location: &Path,
        payload: PutPayload,
        opts: PutOptions,
    ) -> Result<PutResult> {
        self.inner.put_opts(location, payload, opts).await
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        opts: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.inner.put_multipart_opts(location, opts).await
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        let known = self
            .expected
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(location)
            .cloned();
        let Some(expected) = known else {
            return self.inner.get_opts(location, options).await;
        };
        if options.head {
            return self.inner.get_opts(location, options).await;
        }
        let size = expected.size_bytes;
        let range = match &options.range {
            None => 0..size,
            Some(GetRange::Bounded(range)) => range.start..range.end.min(size),
            Some(GetRange::Offset(start)) => *start..size,
            Some(GetRange::Suffix(length)) => size.saturating_sub(*length)..size,
        };
        if range.start >= range.end {
            return self.inner.get_opts(location, options).await;
        }
        self.checked(&expected, location, range).await
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        self.inner.delete_stream(locations)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.inner.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.inner.copy_opts(from, to, options).await
    }
}
