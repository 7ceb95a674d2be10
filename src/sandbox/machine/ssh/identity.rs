//! Who is logged in, and with which rights.

use std::io;
use std::path::Path;

use rustix::process::{Gid, Uid};

use crate::sandbox::machine::guest::account::{self, Accounts, User};

/// A user of the guest with all groups.
#[derive(Clone, Debug)]
pub(super) struct Identity {
    pub(super) user: User,
    groups: Vec<Gid>,
}

impl Identity {
    /// Looks the user up in the guest's files, as they are now.
    pub(super) fn look_up(name: &str) -> io::Result<Option<Self>> {
        let accounts = Accounts::read(Path::new("/"))?;
        Ok(accounts.user(name).map(|user| Self {
            user: user.clone(),
            groups: accounts.groups_of(user).into_iter().map(Gid::from_raw).collect(),
        }))
    }

    /// Makes a user as at first boot.
    pub(super) fn create(name: &str, keys: &[String]) -> io::Result<Option<Self>> {
        let user = account::add_administrator(Path::new("/"), name)?;
        account::authorize(Path::new("/"), &user, keys)?;
        Self::look_up(name)
    }

    /// Gives up the rights of this thread for those of the user, for good.
    ///
    /// Only system calls, no allocation: it also runs between fork and exec.
    pub(super) fn assume(&self) -> io::Result<()> {
        let (uid, gid) = (Uid::from_raw(self.user.uid), Gid::from_raw(self.user.gid));
        rustix::thread::set_thread_groups(&self.groups)?;
        rustix::thread::set_thread_res_gid(gid, gid, gid)?;
        rustix::thread::set_thread_res_uid(uid, uid, uid)?;
        Ok(())
    }
}
