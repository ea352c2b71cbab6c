//! Handles of a task (`uctx` and `handle_list`).

use crate::id::Id;
use std::collections::VecDeque;
use trusty_abi::{Error, Result, Uuid};

#[derive(Clone)]
pub struct Handles {
    pub uuid: Uuid,
    slots: Vec<Option<Entry>>,
    /// In the order in which `wait_any` looks at them.
    order: VecDeque<u32>,
}

#[derive(Clone, Copy)]
struct Entry {
    id: Id,
    cookie: u32,
}

impl Handles {
    pub fn new(uuid: Uuid, most: usize) -> Self {
        Self { uuid, slots: vec![None; most], order: VecDeque::new() }
    }

    pub fn len(&self) -> usize {
        self.order.len()
    }

    /// Gives an object the lowest free handle.
    pub fn install(&mut self, id: Id) -> Result<u32> {
        let free = self.slots.iter_mut().enumerate().find(|(_, slot)| slot.is_none());
        let (handle, slot) = free.ok_or(Error::NoResources)?;
        *slot = Some(Entry { id, cookie: 0 });
        self.order.push_back(handle as u32);
        Ok(handle as u32)
    }

    pub fn get(&self, handle: u32) -> Result<Id> {
        self.entry(handle).map(|entry| entry.id)
    }

    pub fn cookie(&self, handle: u32) -> u32 {
        self.entry(handle).map_or(0, |entry| entry.cookie)
    }

    fn entry(&self, handle: u32) -> Result<Entry> {
        self.slots.get(handle as usize).ok_or(Error::BadHandle)?.ok_or(Error::NotFound)
    }

    pub fn set_cookie(&mut self, handle: u32, cookie: u32) -> Result<()> {
        self.entry(handle)?;
        if let Some(Some(entry)) = self.slots.get_mut(handle as usize) {
            entry.cookie = cookie;
        }
        Ok(())
    }

    pub fn remove(&mut self, handle: u32) -> Result<Id> {
        let id = self.get(handle)?;
        if let Some(slot) = self.slots.get_mut(handle as usize) {
            *slot = None;
        }
        self.order.retain(|open| *open != handle);
        Ok(id)
    }

    /// Handles with their objects, in the order in which `wait_any` looks at them.
    pub fn in_order(&self) -> Vec<(u32, Id)> {
        self.order.iter().filter_map(|handle| Some((*handle, self.get(*handle).ok()?))).collect()
    }

    /// `wait_any` looks next at the handle behind this one.
    pub fn rotate(&mut self, handle: u32) {
        if let Some(at) = self.order.iter().position(|open| *open == handle) {
            self.order.rotate_left(at + 1);
        }
    }
}
