//! How a pending image becomes available: the copy of the files, the snapshots, the record.

use super::account::Cloud;
use super::image::{Image, ImageState};
use super::instance::InstanceState;
use crate::sandbox::machine::{MachineError, RootFs};
use crate::sandbox::store::ImageRecord;

impl Cloud {
    /// CreateImage's work.
    pub(super) async fn create(&self, region: &str, id: &str, instance_id: &str, reboot: bool) {
        match self.capture(region, instance_id, reboot).await {
            Ok(root) => self.complete(region, id, Some(root)).await,
            Err(error) => self.fail(region, id, &error.to_string()),
        }
    }

    /// Copies what an instance's machine wrote; gives what an image of it starts from.
    async fn capture(&self, region: &str, id: &str, reboot: bool) -> Result<RootFs, MachineError> {
        let gone = || MachineError::Other(format!("the instance {id} has no machine any more"));
        let locked = self.lock(region, id).await.ok_or_else(gone)?;
        let machine = locked.machine.as_ref().ok_or_else(gone)?;
        let restart = reboot && machine.is_running();
        if restart {
            machine.stop().await?;
        }
        let layer = machine.capture().await;
        let state = self.with_instance(region, id, |instance| instance.state);
        if restart && state == Some(InstanceState::Running) {
            match machine.start().await {
                Ok(()) => self.up(region, id, machine),
                Err(error) => {
                    self.broken(region, id, "start after the capture", &error);
                    self.advance(region, id, InstanceState::Running, InstanceState::Stopped);
                }
            }
        }
        let layer = layer?;
        let mut root = self.with_instance(region, id, |i| i.root.clone()).ok_or_else(gone)?;
        root.layers.push(layer);
        Ok(root)
    }

    /// Completes the snapshots of a pending image, then the image. `root` is what was captured;
    /// a copy has its own already.
    pub(super) async fn complete(&self, region: &str, id: &str, root: Option<RootFs>) {
        let (place, image_id) = (region.to_owned(), id.to_owned());
        let begun = self.off_thread(move |cloud| cloud.keep_layer(&place, &image_id, root)).await;
        match begun {
            Ok(true) => {}
            Ok(false) => return,
            Err(reason) => return self.fail(region, id, &reason),
        }
        self.pause(self.inner.latency.snapshot).await;
        self.with_region(region, |region| {
            let devices = region.images.get_mut(id).map(|image| image.block_devices.iter_mut());
            for snapshot in devices.into_iter().flatten().filter_map(|d| d.snapshot.as_mut()) {
                snapshot.completed = true;
            }
        });
        self.pause(self.inner.latency.image).await;
        let (place, image_id) = (region.to_owned(), id.to_owned());
        let finished = self.off_thread(move |cloud| cloud.finish(&place, &image_id)).await;
        if let Err(reason) = finished {
            self.fail(region, id, &reason);
        }
    }

    /// Writes the record while the machine still holds the layer; until the image is finished,
    /// no process counts it. `false` when the image was deregistered in the meantime.
    fn keep_layer(&self, region: &str, id: &str, root: Option<RootFs>) -> Result<bool, String> {
        let captured = root.clone();
        let content = match &root {
            Some(root) => self.inner.store.content(root).map_err(|error| error.to_string())?,
            None => None,
        };
        let kept = self.with_region(region, |region| {
            let Some(image) = region.images.get_mut(id) else { return Ok(false) };
            image.root = root.or(image.root.take());
            image.content = content.or(image.content.take());
            image.tag_content();
            self.save(image).map(|()| true)
        });
        let kept = kept.unwrap_or(Ok(false))?;
        if let (false, Some(root)) = (kept, captured) {
            self.drop_layers(id, root);
        }
        Ok(kept)
    }

    fn finish(&self, region: &str, id: &str) -> Result<(), String> {
        let finished = self.with_region(region, |region| {
            let Some(image) = region.images.get_mut(id) else { return Ok(()) };
            image.state = ImageState::Available;
            self.save(image)?;
            region.images.remove(id);
            Ok(())
        });
        finished.unwrap_or(Ok(()))
    }

    fn save(&self, image: &Image) -> Result<(), String> {
        let record = image.to_record().map_err(|error| error.to_string())?;
        let record = record.ok_or("nothing was captured")?;
        self.inner.store.save(&record).map_err(|error| error.to_string())
    }

    /// An image was deregistered while it was made: nothing names its layer any more. The
    /// store removes layers with the last record, so there is one for a moment.
    fn drop_layers(&self, id: &str, root: RootFs) {
        let record = ImageRecord { id: id.to_owned(), root, details: serde_json::Value::Null };
        let store = &self.inner.store;
        if let Err(error) = store.save(&record).and_then(|()| store.remove(id)) {
            tracing::warn!(image = id, "its layer stays in the store: {error}");
        }
    }

    fn fail(&self, region: &str, id: &str, reason: &str) {
        tracing::warn!(image = id, "no image was made: {reason}");
        self.with_region(region, |region| {
            if let Some(image) = region.images.get_mut(id) {
                image.state = ImageState::Failed(reason.to_owned());
            }
        });
    }

    /// Does what reads and writes the store where it may block.
    async fn off_thread<R: Send + 'static>(
        &self,
        work: impl FnOnce(&Cloud) -> Result<R, String> + Send + 'static,
    ) -> Result<R, String> {
        let cloud = self.clone();
        let done = tokio::task::spawn_blocking(move || work(&cloud)).await;
        done.unwrap_or_else(|error| Err(error.to_string()))
    }
}
