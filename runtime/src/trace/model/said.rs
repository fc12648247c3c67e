//! What the program says: its tasks, regions and logs, on the task that says it.

use super::known::Who;
use super::{Model, OUTSIDE};
use crate::sched::observe::User;
use crate::trace::file::ev;

pub(super) struct Region {
    id: u64,
    task: u64,
    name: String,
}

impl Model {
    pub(super) fn user(&mut self, m: usize, p: Option<u32>, id: u64, user: &User) {
        match p {
            Some(p) => {
                self.be_running(m, p, id);
                self.say(m, id, user);
            }
            None => {
                if m == OUTSIDE && !self.hints.contains_key(&id) && !self.tasks.contains_key(&id) {
                    self.hints.insert(id, Who::THREAD);
                }
                self.as_guest(m, Some(id), |model| model.say(m, id, user));
            }
        }
    }

    fn say(&mut self, m: usize, id: u64, user: &User) {
        let stack = self.stack(id);
        match user {
            User::TaskBegin { id: of, parent, name } => {
                let name = self.out.string(name);
                self.emit(m, ev::TASK_BEGIN, &[*of, *parent, name, stack]);
            }
            User::TaskEnd { id: of } => self.emit(m, ev::TASK_END, &[*of, stack]),
            User::RegionBegin { task: of, id: region, name } => {
                let region = Region { id: *region, task: *of, name: name.clone() };
                self.tasks.get_mut(&id).expect("runs").regions.push(region);
                let name = self.out.string(name);
                self.emit(m, ev::REGION_BEGIN, &[*of, name, stack]);
            }
            User::RegionEnd { id: region } => {
                let regions = &mut self.tasks.get_mut(&id).expect("runs").regions;
                let Some(n) = regions.iter().position(|open| open.id == *region) else { return };
                // Regions end in the reverse order of their beginnings.
                for Region { task: of, name, .. } in regions.split_off(n).into_iter().rev() {
                    let name = self.out.string(&name);
                    self.emit(m, ev::REGION_END, &[of, name, stack]);
                }
            }
            User::Log { task: of, category, message } => {
                let (key, value) = (self.out.string(category), self.out.string(message));
                self.emit(m, ev::LOG, &[*of, key, value, stack]);
            }
        }
    }
}
