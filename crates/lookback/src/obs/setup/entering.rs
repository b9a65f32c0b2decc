//! The way into a profile of our own: left if OBS is in it, copied from the user's, made or entered again.

use super::{Plan, at, own};
use crate::client::Failure;
use crate::obs::connection::Refusal;
use crate::obs::journal::{Journal, Output};
use crate::obs::profile::Copied;
use crate::obs::scene;
use crate::obs::studio::{self, Studio};

impl Plan<'_> {
    /// Has OBS in our profile, with the journal and a copy of the user's settings in it.
    pub(super) async fn enter_profile(&self, studio: &impl Studio) -> Result<Journal, Failure> {
        let ours = &self.wanted.profile;
        let uncopied = at("the profile cannot be copied");
        let base = self.leave_profile(studio).await?;
        let copied = Copied::read(studio).await.map_err(&uncopied)?;
        let fresh = self.begin(studio, base, &copied).await.map_err(&uncopied)?;
        let journal = match self.profiles.names.contains(ours) {
            true => self.enter_again(studio, fresh).await?,
            false => {
                let made = studio::create_profile(studio, ours).await;
                made.map_err(at("the profile cannot be made"))?;
                fresh
            }
        };
        journal.write(studio).await.map_err(&uncopied)?;
        copied.write(studio).await.map_err(&uncopied)?;
        Ok(journal)
    }

    /// Has OBS in the profile that is to be copied, and gives its name. A set-up that was cut short may
    /// have left it in ours.
    async fn leave_profile(&self, studio: &impl Studio) -> Result<String, Failure> {
        let Some(journal) = &self.journal else {
            return Ok(self.profiles.current.clone());
        };
        let base = &journal.profile;
        if !self.profiles.names.contains(base) {
            return Err(Failure::mistake(format!(
                "the profile {base}, which {} is a copy of, is gone: switch to the profile that you want \
                 to go on with, and try again",
                self.wanted.profile
            )));
        }
        let unswitched = at("OBS does not change its profile");
        journal.complete_sound(studio).await.map_err(&unswitched)?;
        studio::switch_profile(studio, base)
            .await
            .map_err(&unswitched)?;
        Ok(base.clone())
    }

    /// Enters a profile of that name that is there already, and goes on with its journal. If it is not
    /// ours after all, it is left again.
    async fn enter_again(&self, studio: &impl Studio, fresh: Journal) -> Result<Journal, Failure> {
        let unswitched = at("OBS does not change its profile");
        let entered = studio::switch_profile(studio, &self.wanted.profile).await;
        entered.map_err(&unswitched)?;
        let journal = Journal::read(studio).await;
        let journal = journal.map_err(at("the profile cannot be read"));
        let ours = match journal.and_then(|journal| own(journal, self.wanted)) {
            Ok(old) => self.check_scene(studio, Some(&old)).await.map(|()| old),
            Err(failure) => Err(failure),
        };
        match ours {
            Ok(old) => Ok(Journal {
                interrupted: self.interrupted(&old),
                profile: fresh.profile,
                sound: fresh.sound,
                done: None,
                ..old
            }),
            Err(failure) => {
                let back = studio::switch_profile(studio, &self.profiles.current).await;
                back.map_err(&unswitched)?;
                Err(failure)
            }
        }
    }

    /// What is to be started again one day: what ran before the set-up that OBS is still in, or before this
    /// one; and the camera, which is started again as soon as this one is done.
    fn interrupted(&self, old: &Journal) -> Vec<Output> {
        let is_over = self.journal.is_none() && old.done.is_some();
        let before = old.interrupted.iter().filter(|_| !is_over);
        let now = self
            .running
            .iter()
            .filter(|output| self.journal.is_none() || **output == Output::VirtualCamera);
        let mut interrupted: Vec<Output> = before.copied().collect();
        for output in now {
            if !interrupted.contains(output) {
                interrupted.push(*output);
            }
        }
        interrupted
    }

    /// What is there before anything is done.
    async fn begin(
        &self,
        studio: &impl Studio,
        base: String,
        copied: &Copied,
    ) -> Result<Journal, Refusal> {
        Ok(Journal {
            server: self.wanted.server_url(),
            profile: base,
            collection: studio::collections(studio).await?.current,
            program: studio::scenes(studio).await?.program,
            interrupted: self.running.clone(),
            sound: copied.sound(),
            scene: self.wanted.scene.clone(),
            source: scene::source_in(&self.wanted.scene),
            done: None,
        })
    }
}
