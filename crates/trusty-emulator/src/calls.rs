//! System calls of a trusted app: arguments out of its registers and memory, results back.

use crate::clock::Clock;
use crate::process::{AppState, Process, What};
use std::time::Duration;
use trusty_abi::{CONSOLE, Error, Event, INFINITE, Result, connect, limit, nr};
use trusty_image::limits::PAGE;
use trusty_model::Kernel;

impl Process {
    /// Does the system call that the machine has stopped at.
    pub fn call(&mut self, kernel: &mut Kernel, clock: &Clock) {
        let (number, arguments) = self.machine.call();
        match self.dispatch(kernel, clock, number, arguments) {
            Ok(Some(result)) => self.machine.set_result(result as i32),
            // It waits: the result comes later.
            Ok(None) => {}
            Err(error) => self.machine.set_result(error.code()),
        }
    }

    fn dispatch(
        &mut self,
        kernel: &mut Kernel,
        clock: &Clock,
        number: u32,
        [a, b, c, d]: [u32; 4],
    ) -> Result<Option<u32>> {
        let task = self.task;
        let done = |()| Some(0);
        match number {
            nr::WRITE => self.console(a, b, c).map(Some),
            nr::BRK => Ok(Some(self.brk(a))),
            nr::EXIT_GROUP => {
                self.end();
                Ok(None)
            }
            nr::NANOSLEEP => {
                let nanoseconds = u64::from(d) << 32 | u64::from(c);
                // The kernel's sum may wrap, and its milliseconds have 32 bits.
                let milliseconds = (nanoseconds.wrapping_add(999_999) / 1_000_000) as u32;
                let until = clock.now().checked_add(Duration::from_millis(milliseconds.into()));
                self.state = AppState::Waiting(What::Sleep, until);
                Ok(None)
            }
            nr::GETTIME => {
                let time = clock.now().as_micros() as u64 * 1000;
                self.put(c, &time.to_le_bytes()).map(done)
            }
            nr::PORT_CREATE => {
                let path = self.path(a)?;
                let handle = kernel.port_create(task, &path, b, c, d)?;
                self.ports.push(path);
                Ok(Some(handle))
            }
            nr::CONNECT if b & !(connect::ASYNC | connect::WAIT_FOR_PORT) != 0 => {
                Err(Error::InvalidArguments)
            }
            nr::CONNECT => {
                let path = self.path(a)?;
                let handle = kernel.connect(task, &path, b)?;
                if b & connect::ASYNC != 0 {
                    return Ok(Some(handle));
                }
                self.wait(kernel, clock, What::Connect(handle), INFINITE)
            }
            nr::ACCEPT => {
                let (handle, peer) = kernel.accept(task, a)?;
                if let Err(error) = self.put(b, &peer.0) {
                    kernel.close(task, handle)?;
                    return Err(error);
                }
                Ok(Some(handle))
            }
            nr::CLOSE => kernel.close(task, a).map(done),
            nr::SET_COOKIE => kernel.set_cookie(task, a, b).map(done),
            nr::WAIT => self.wait(kernel, clock, What::Handle(a, b), c),
            nr::WAIT_ANY => self.wait(kernel, clock, What::Any(a), b),
            nr::GET_MSG => {
                let info = kernel.peek_msg(task, a)?;
                self.put(b, &words([info.length, info.id]))?;
                kernel.get_msg(task, a).map(|_| Some(0))
            }
            nr::READ_MSG => self.read_msg(kernel, a, b, c, d).map(Some),
            nr::PUT_MSG => kernel.put_msg(task, a, b).map(done),
            nr::SEND_MSG => self.send_msg(kernel, a, b).map(Some),
            nr::MMAP => self.mmap(a, b, c, d).map(Some),
            nr::MUNMAP if a == 0 => Err(Error::InvalidArguments),
            nr::MUNMAP => self.machine.unmap_device(a, b).map(|()| Some(0)).ok_or(Error::NotFound),
            nr::PREPARE_DMA => self.prepare_dma(a, b, c, d).map(Some),
            nr::FINISH_DMA if self.machine.is_mapped(a, b) => Ok(Some(0)),
            nr::FINISH_DMA => Err(Error::InvalidArguments),
            // read and ioctl are for devices, and there are none here.
            _ => Err(Error::NotSupported),
        }
    }

    /// Looks whether what the TA waits for has happened, or its time is up. Whether it runs.
    pub fn wake(&mut self, kernel: &mut Kernel, clock: &Clock) -> bool {
        let AppState::Waiting(what, until) = self.state else { return self.state == AppState::Ready };
        let result = match self.happened(kernel, what) {
            Ok(None) if until.is_some_and(|until| until <= clock.now()) => match what {
                What::Sleep => Ok(0),
                _ => Err(Error::TimedOut),
            },
            Ok(None) => return false,
            Ok(Some(result)) => Ok(result),
            Err(error) => Err(error),
        };
        self.state = AppState::Ready;
        self.machine.set_result(result.map_or_else(Error::code, u32::cast_signed));
        true
    }

    fn wait(
        &mut self,
        kernel: &mut Kernel,
        clock: &Clock,
        what: What,
        milliseconds: u32,
    ) -> Result<Option<u32>> {
        let happened = self.happened(kernel, what)?;
        if happened.is_none() {
            if milliseconds == 0 {
                return Err(Error::TimedOut);
            }
            let until =
                (milliseconds != INFINITE).then(|| clock.now() + Duration::from_millis(milliseconds.into()));
            self.state = AppState::Waiting(what, until);
        }
        Ok(happened)
    }

    fn happened(&mut self, kernel: &mut Kernel, what: What) -> Result<Option<u32>> {
        let (event, at) = match what {
            What::Sleep => return Ok(None),
            What::Connect(handle) => {
                return match kernel.poll(self.task, handle)? {
                    Some(event) => kernel.connected(self.task, handle, event.event).map(Some),
                    None => Ok(None),
                };
            }
            What::Handle(handle, at) => (kernel.poll(self.task, handle)?, at),
            What::Any(at) => (kernel.poll_any(self.task)?, at),
        };
        let Some(Event { handle, event, cookie }) = event else { return Ok(None) };
        self.put(at, &words([handle, event, cookie]))?;
        Ok(Some(0))
    }

    fn console(&mut self, fd: u32, address: u32, length: u32) -> Result<u32> {
        if !(1..=3).contains(&fd) {
            return Err(Error::NotSupported);
        }
        if !self.machine.is_mapped(address, length) {
            return Err(Error::InvalidArguments);
        }
        let text = self.machine.read(address, length as usize).ok_or(Error::InvalidArguments)?;
        // fd 1 is INFO level, which release kernels do not print.
        if fd == CONSOLE {
            self.hear(&text);
        }
        Ok(length)
    }

    fn brk(&mut self, wanted: u32) -> u32 {
        let start = self.app.heap_start;
        let end = start + self.app.manifest.heap();
        if (start..=end).contains(&wanted) {
            (self.brk, self.refused) = (wanted, None);
        } else if wanted > end {
            self.refused = Some(wanted);
        }
        self.brk
    }

    /// Memory of a device that the manifest names, or that a device may reach.
    fn mmap(&mut self, address: u32, size: u32, flags: u32, id: u32) -> Result<u32> {
        const IO_HANDLE: u32 = 1;
        const DEVICE_MEMORY: u32 = 2;
        let whole = size.checked_next_multiple_of(PAGE).ok_or(Error::InvalidArguments)?;
        match self.app.manifest.map_mem.iter().find(|region| region.id == id) {
            _ if flags & DEVICE_MEMORY != 0 => {}
            _ if flags != IO_HANDLE || address != 0 => return Err(Error::InvalidArguments),
            None => return Err(Error::NotFound),
            Some(region) if whole > region.size.next_multiple_of(PAGE) => {
                return Err(Error::InvalidArguments);
            }
            Some(_) => {}
        }
        if size == 0 {
            return Err(Error::InvalidArguments);
        }
        self.machine.map_device(size).ok_or(Error::NoMemory)
    }

    /// Where memory lies for a device, page by page: here, where no device is, at its own address.
    fn prepare_dma(&mut self, address: u32, size: u32, flags: u32, blocks: u32) -> Result<u32> {
        const MULTI_PMEM: u32 = 1 << 2;
        const ALLOW_PARTIAL: u32 = 1 << 3;
        const BAD_LEN: Error = Error::Other(-32);
        if size == 0 || !self.machine.is_mapped(address, size) {
            return Err(Error::InvalidArguments);
        }
        let (mut done, mut count) = (0, 0);
        while done < size && (count == 0 || flags & MULTI_PMEM != 0) {
            let at = address + done;
            let block = (size - done).min(PAGE - at % PAGE);
            // struct dma_pmem: 64 bits of address, 32 of size, 32 of padding.
            self.put(blocks.wrapping_add(count * 16), &words([at, 0, block, 0]))?;
            (done, count) = (done + block, count + 1);
        }
        if done == size || flags & ALLOW_PARTIAL != 0 { Ok(count) } else { Err(BAD_LEN) }
    }

    fn put(&mut self, address: u32, bytes: &[u8]) -> Result<()> {
        self.machine.write(address, bytes).ok_or(Error::Fault)
    }

    fn get<const N: usize>(&mut self, address: u32) -> Result<[u32; N]> {
        let bytes = self.machine.read(address, N * 4).ok_or(Error::Fault)?;
        let mut words = bytes.chunks_exact(4).map(|b| u32::from_le_bytes([b[0], b[1], b[2], b[3]]));
        Ok(std::array::from_fn(|_| words.next().unwrap_or_default()))
    }

    /// A path up to its NUL, as `strncpy_from_user` takes it: it reads on, however long the path is.
    fn path(&mut self, address: u32) -> Result<Vec<u8>> {
        let mut path = Vec::new();
        let mut at = address;
        loop {
            let byte = self.machine.read(at, 1).ok_or(Error::Fault)?;
            match byte.as_slice() {
                [0] if path.len() < limit::PORT_PATH => return Ok(path),
                [0] => return Err(Error::InvalidArguments),
                other => path.extend_from_slice(other),
            }
            at = at.wrapping_add(1);
        }
    }

    /// The parts of a message: address and length each, and whether it bears handles.
    fn parts(&mut self, message: u32) -> Result<(u32, u32, bool)> {
        let [count, iovecs, handles, _] = self.get(message)?;
        Ok((count, iovecs, handles != 0))
    }

    /// Address and length of a part.
    fn part(&mut self, iovecs: u32, index: u32) -> Result<[u32; 2]> {
        self.get(iovecs.wrapping_add(index.wrapping_mul(8)))
    }

    fn send_msg(&mut self, kernel: &mut Kernel, handle: u32, message: u32) -> Result<u32> {
        let (count, iovecs, handles) = self.parts(message)?;
        let size = kernel.send_room(self.task, handle)?;
        if handles {
            return Err(Error::NotSupported);
        }
        let mut data = Vec::new();
        for index in 0..count {
            let room = size - data.len();
            if room == 0 {
                break;
            }
            let [base, length] = self.part(iovecs, index)?;
            let length = room.min(length as usize);
            data.extend(self.machine.read(base, length).ok_or(Error::Fault)?);
        }
        kernel.send_msg(self.task, handle, &[&data]).map(|sent| sent as u32)
    }

    fn read_msg(
        &mut self,
        kernel: &mut Kernel,
        handle: u32,
        id: u32,
        offset: u32,
        message: u32,
    ) -> Result<u32> {
        let (count, iovecs, handles) = self.parts(message)?;
        let data = kernel.read_msg(self.task, handle, id, offset)?.to_vec();
        if handles {
            return Err(Error::NotSupported);
        }
        let mut rest = data.as_slice();
        for index in 0..count {
            if rest.is_empty() {
                break;
            }
            let [base, length] = self.part(iovecs, index)?;
            let (now, later) = rest.split_at(rest.len().min(length as usize));
            self.put(base, now)?;
            rest = later;
        }
        Ok((data.len() - rest.len()) as u32)
    }
}

fn words<const N: usize>(words: [u32; N]) -> Vec<u8> {
    words.into_iter().flat_map(u32::to_le_bytes).collect()
}
