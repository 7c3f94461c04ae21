//! Secret keys: kept encrypted, under a key in a file beside the warehouse that only its owner can read.
//!
//! They have to stay what they are, and not hashes of it, because signatures are verified with them.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{ChaCha20Poly1305, Key, Nonce};
use sha2::{Digest, Sha256};

use crate::catalog::Sealed;
use crate::clock::random_bytes;
use crate::error::{Error, Result};

const KEY_BYTES: usize = 32;

/// The key file of a warehouse.
pub struct Vault {
    path: PathBuf,
}

impl Vault {
    /// The vault of the warehouse in `dir`: `<dir>.key`.
    pub fn beside(dir: &Path) -> Self {
        let mut name = dir.file_name().unwrap_or_default().to_os_string();
        name.push(".key");
        Self {
            path: dir.with_file_name(name),
        }
    }

    /// Encrypts the secret of `account`; the key is made with the first.
    pub fn seal(&self, account: &str, secret: &str) -> Result<Sealed> {
        let key = match self.read()? {
            Some(key) => key,
            None => self.create()?,
        };
        let nonce: [u8; 12] = random_bytes();
        let payload = Payload {
            msg: secret.as_bytes(),
            aad: account.as_bytes(),
        };
        let bytes = cipher(&key).encrypt(&Nonce::from(nonce), payload);
        let bytes = bytes.map_err(|_| Error::internal("the secret key cannot be encrypted"))?;
        Ok(Sealed { nonce, bytes })
    }

    /// Decrypts the secret of `account`.
    pub fn open(&self, account: &str, sealed: &Sealed) -> Result<Vec<u8>> {
        let Some(key) = self.read()? else {
            return Err(self.failed("it is missing"));
        };
        let payload = Payload {
            msg: &sealed.bytes,
            aad: account.as_bytes(),
        };
        let opened = cipher(&key).decrypt(&Nonce::from(sealed.nonce), payload);
        opened.map_err(|_| self.failed("it is not the key of this warehouse"))
    }

    /// Whether `given` is the secret of `account`.
    pub fn matches(&self, account: &str, sealed: &Sealed, given: &str) -> Result<bool> {
        let secret = self.open(account, sealed)?;
        // Of hashes it does not matter how far they agree.
        Ok(Sha256::digest(&secret) == Sha256::digest(given.as_bytes()))
    }

    fn read(&self) -> Result<Option<[u8; KEY_BYTES]>> {
        let mode = match fs::metadata(&self.path) {
            Ok(mode) => mode,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(self.failed(&error.to_string())),
        };
        if !mode.is_file() || mode.len() != KEY_BYTES as u64 {
            return Err(self.failed("it is damaged"));
        }
        let bytes = fs::read(&self.path).map_err(|error| self.failed(&error.to_string()))?;
        if mode.permissions().mode() & 0o077 != 0 {
            return Err(self.failed("others may read it; its mode has to be 0600"));
        }
        let key = bytes.try_into();
        key.map(Some).map_err(|_| self.failed("it is damaged"))
    }

    /// Makes the key file, whole or not at all; the warehouse is locked meanwhile.
    fn create(&self) -> Result<[u8; KEY_BYTES]> {
        let key: [u8; KEY_BYTES] = random_bytes();
        let write = || -> io::Result<()> {
            let unfinished = self.path.with_extension("key.tmp");
            match fs::remove_file(&unfinished) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
            let mut options = OpenOptions::new();
            let mut file = options
                .write(true)
                .create_new(true)
                .mode(0o600)
                .open(&unfinished)?;
            file.write_all(&key)?;
            file.sync_all()?;
            fs::rename(&unfinished, &self.path)?;
            let parent = self.path.parent();
            let parent = parent.filter(|parent| !parent.as_os_str().is_empty());
            File::open(parent.unwrap_or(Path::new(".")))?.sync_all()
        };
        write().map_err(|error| self.failed(&error.to_string()))?;
        Ok(key)
    }

    fn failed(&self, reason: &str) -> Error {
        Error::io(format!("key file {}: {reason}", self.path.display()))
    }
}

fn cipher(key: &[u8; KEY_BYTES]) -> ChaCha20Poly1305 {
    ChaCha20Poly1305::new(&Key::from(*key))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_comes_back_for_its_account_only() {
        let home = tempfile::tempdir().expect("a folder");
        let vault = Vault::beside(&home.path().join("warehouse"));
        let sealed = vault.seal("bob", "open sesame").expect("sealed");
        assert_eq!(vault.open("bob", &sealed).expect("opened"), b"open sesame");
        assert!(vault.matches("bob", &sealed, "open sesame").expect("read"));
        assert!(!vault.matches("bob", &sealed, "open").expect("read"));
        assert!(vault.open("eve", &sealed).is_err());
        let mode = fs::metadata(home.path().join("warehouse.key")).expect("there");
        assert_eq!(mode.permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_key_that_others_may_read_is_refused() {
        let home = tempfile::tempdir().expect("a folder");
        let vault = Vault::beside(&home.path().join("warehouse"));
        let sealed = vault.seal("bob", "x").expect("sealed");
        let path = home.path().join("warehouse.key");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).expect("changed");
        assert!(vault.open("bob", &sealed).is_err());
        fs::remove_file(&path).expect("removed");
        assert!(vault.open("bob", &sealed).is_err());
    }

    #[test]
    fn a_key_that_was_written_by_half_is_no_key() {
        let home = tempfile::tempdir().expect("a folder");
        let vault = Vault::beside(&home.path().join("warehouse"));
        fs::write(home.path().join("warehouse.key.tmp"), "half").expect("written");
        let sealed = vault.seal("bob", "x").expect("sealed");
        assert_eq!(vault.open("bob", &sealed).expect("opened"), b"x");
        assert!(!home.path().join("warehouse.key.tmp").exists());
    }
}
