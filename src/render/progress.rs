//! One progress line for each build, below the log, on terminals only.

use std::collections::BTreeMap;
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::event::{Event, Fact};

use super::Mask;
use super::lines::step_name;

/// The bars of all builds.
pub(super) struct Progress {
    bars: MultiProgress,
    builds: BTreeMap<String, Bar>,
    mask: Mask,
}

struct Bar {
    bar: ProgressBar,
    step: &'static str,
    detail: String,
}

impl Progress {
    /// Bars on standard error, where logs of scripts do not catch them.
    pub(super) fn new(mask: Mask) -> Self {
        Self::on(ProgressDrawTarget::stderr(), mask)
    }

    pub(super) fn on(target: ProgressDrawTarget, mask: Mask) -> Self {
        Self { bars: MultiProgress::with_draw_target(target), builds: BTreeMap::new(), mask }
    }

    /// Runs something that prints, with the bars out of the way.
    pub(super) fn suspend<T>(&self, print: impl FnOnce() -> T) -> T {
        self.bars.suspend(print)
    }

    /// Brings the bars up to date with an event.
    pub(super) fn observe(&mut self, event: &Event) {
        let Some(build) = event.build.as_deref() else {
            if matches!(event.fact, Fact::RunEnded { .. }) {
                drop(self.bars.clear());
            }
            return;
        };
        if matches!(event.fact, Fact::BuildStarted { .. }) {
            let bar = self.bars.add(ProgressBar::new_spinner());
            bar.set_style(line_style());
            bar.set_prefix(self.mask.apply(build));
            bar.enable_steady_tick(Duration::from_millis(100));
            self.builds.insert(build.to_owned(), Bar { bar, step: "start", detail: String::new() });
        }
        let Some(bar) = self.builds.get_mut(build) else { return };
        match &event.fact {
            Fact::StepStarted { step } => {
                bar.step = step_name(*step);
                bar.detail.clear();
            }
            Fact::StateChanged { id, state, .. } => bar.detail = format!("{id} {state}"),
            Fact::WaitStarted { id, state, .. } => bar.detail = format!("{id} to be {state}"),
            Fact::ImageProgressed { id, percent } => bar.detail = format!("{id} {percent} %"),
            Fact::LeaseAwaited { holder, .. } => bar.detail = format!("waiting for {holder}"),
            Fact::LeaseTaken { .. } => bar.detail.clear(),
            Fact::ConnectStarted { address, .. } => bar.detail = address.clone(),
            Fact::ProvisionerStarted { title, .. } => bar.detail = title.clone(),
            Fact::UploadStarted { bytes, .. } => {
                bar.bar.set_style(bytes_style());
                bar.bar.set_length(*bytes);
                bar.bar.set_position(0);
            }
            Fact::UploadProgressed { bytes } => bar.bar.set_position(*bytes),
            Fact::DownloadStarted { .. } => {
                bar.bar.set_style(received_style());
                bar.bar.set_position(0);
            }
            Fact::DownloadProgressed { bytes } => bar.bar.set_position(*bytes),
            Fact::UploadEnded { .. } | Fact::DownloadEnded { .. } => {
                bar.bar.unset_length();
                bar.bar.set_style(line_style());
            }
            Fact::BuildFinished { .. } | Fact::BuildFailed { .. } => {
                bar.bar.finish_and_clear();
                return;
            }
            _ => return,
        }
        let text = if bar.detail.is_empty() {
            bar.step.to_owned()
        } else {
            format!("{}: {}", bar.step, bar.detail)
        };
        bar.bar.set_message(self.mask.apply(&text));
    }
}

fn line_style() -> ProgressStyle {
    style("{spinner} {prefix}  {elapsed:>4}  {wide_msg}")
}

fn bytes_style() -> ProgressStyle {
    style(
        "{spinner} {prefix}  {elapsed:>4}  {bar:30} {bytes}/{total_bytes} {bytes_per_sec}  {wide_msg}",
    )
}

/// For bytes of which nobody knows how many there will be.
fn received_style() -> ProgressStyle {
    style("{spinner} {prefix}  {elapsed:>4}  {bytes} {bytes_per_sec}  {wide_msg}")
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_spinner())
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::{Arc, Mutex};
    use std::time::SystemTime;

    use indicatif::TermLike;

    use super::*;
    use crate::event::Step;

    /// A terminal of one line that remembers everything it was told to write.
    #[derive(Clone, Debug, Default)]
    struct Screen(Arc<Mutex<String>>);

    impl TermLike for Screen {
        fn width(&self) -> u16 {
            100
        }
        fn move_cursor_up(&self, _: usize) -> io::Result<()> {
            Ok(())
        }
        fn move_cursor_down(&self, _: usize) -> io::Result<()> {
            Ok(())
        }
        fn move_cursor_right(&self, _: usize) -> io::Result<()> {
            Ok(())
        }
        fn move_cursor_left(&self, _: usize) -> io::Result<()> {
            Ok(())
        }
        fn write_line(&self, text: &str) -> io::Result<()> {
            self.write_str(&format!("{text}\n"))
        }
        fn write_str(&self, text: &str) -> io::Result<()> {
            self.0.lock().expect("no panic").push_str(text);
            Ok(())
        }
        fn clear_line(&self) -> io::Result<()> {
            Ok(())
        }
        fn flush(&self) -> io::Result<()> {
            Ok(())
        }
    }

    fn event(fact: Fact) -> Event {
        Event { at: SystemTime::UNIX_EPOCH, build: Some("amazon-ebs.app".into()), fact }
    }

    #[test]
    fn a_build_has_a_line_with_its_step_and_an_upload_a_bar_of_bytes() {
        let screen = Screen::default();
        let target = ProgressDrawTarget::term_like_with_hz(Box::new(screen.clone()), 255);
        let mut progress = Progress::on(target, Mask::default());
        progress.observe(&event(Fact::BuildStarted { template_hash: String::new() }));
        progress.observe(&event(Fact::StepStarted { step: Step::Provision }));
        progress.observe(&event(Fact::UploadStarted {
            source: "dist".to_owned(),
            destination: "/tmp".to_owned(),
            bytes: 4096,
            files: 2,
        }));
        progress.observe(&event(Fact::UploadProgressed { bytes: 1024 }));
        let bar = &progress.builds.get("amazon-ebs.app").expect("a bar").bar;
        assert_eq!((bar.position(), bar.length()), (1024, Some(4096)));
        assert_eq!(bar.message(), "provision");
        bar.force_draw();
        let drawn = screen.0.lock().expect("no panic").clone();
        assert!(drawn.contains("amazon-ebs.app"), "{drawn}");
        assert!(drawn.contains("1.00 KiB/4.00 KiB"), "{drawn}");
    }

    #[test]
    fn a_finished_build_has_no_line() {
        let mut progress = Progress::on(ProgressDrawTarget::hidden(), Mask::default());
        progress.observe(&event(Fact::BuildStarted { template_hash: String::new() }));
        progress.observe(&event(Fact::BuildFailed {
            error: String::new(),
            place: None,
            hints: Vec::new(),
            elapsed: Duration::ZERO,
            cancelled: false,
        }));
        assert!(progress.builds.get("amazon-ebs.app").expect("a bar").bar.is_finished());
    }
}
