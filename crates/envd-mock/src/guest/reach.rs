//! Where the paths of a call start: the user's home or the default working directory, by the guest's habits.

use super::boot::Guest;
use super::path::PathError;
use super::users::User;

impl Guest {
    /// What a path in a call stands for. Blocking.
    ///
    /// # Errors
    /// When it names the home of another user.
    pub(crate) fn resolve(
        &self,
        path: &str,
        user: &User,
        workdir: Option<&str>,
    ) -> Result<String, PathError> {
        let workdir = workdir.filter(|_| path.is_empty() || self.config.habits.joins_workdir);
        self.stand().tree.resolve(path, user, workdir)
    }
}
