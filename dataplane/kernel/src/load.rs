//! Loading the embedded object: its maps, sized for this machine, and its programs over them.
//!
//! Maps and programs are made apart, because a daemon that finds the tables of an earlier one loads
//! its own programs over those: that is how a new version takes over without losing a flow.

use std::{
    collections::HashMap,
    os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd},
    sync::OnceLock,
};

use aya_obj::{Function, Map, Object, ProgramSection, btf::BtfFeatures};

use crate::{
    Error, Result, Sizes,
    sys::{self, NewMap, NewProgram},
};

/// Name of the XDP program; the kernel knows it by this name too.
pub const XDP_PROGRAM: &str = "ferrovs_xdp";
/// Name of the tc program.
pub const TC_PROGRAM: &str = "ferrovs_tc";

/// `BPF_PROG_TYPE_SCHED_CLS`.
const SCHED_CLS: u32 = 3;
/// `BPF_PROG_TYPE_XDP`.
const XDP: u32 = 6;
/// `BPF_XDP`, the attach type of XDP programs.
const ATTACH_XDP: u32 = 37;
/// `BPF_F_XDP_HAS_FRAGS`.
const HAS_FRAGS: u32 = 1 << 5;
/// Room for the verifier's findings.
const LOG: usize = 1 << 20;
/// Lines of them that are shown.
const LOG_LINES: usize = 3;

/// Open maps by name.
pub(crate) type MapSet = HashMap<String, OwnedFd>;

/// The two programs over one set of tables, not yet attached anywhere.
#[derive(Debug)]
pub struct Programs {
    /// For the tc hook.
    pub tc: OwnedFd,
    xdp: OnceLock<OwnedFd>,
}

impl Programs {
    /// The one for the tc hook, and if there is one already, that for the XDP hook.
    pub(crate) fn new(tc: OwnedFd, xdp: Option<OwnedFd>) -> Self {
        Self {
            tc,
            xdp: xdp.map_or_else(OnceLock::new, OnceLock::from),
        }
    }

    /// The one for the XDP hook. It is loaded when it is first asked for: to verify it takes a good part of a second,
    /// and many machines run only the other.
    ///
    /// # Errors
    /// What the kernel does not accept.
    pub fn xdp(&self) -> Result<BorrowedFd<'_>> {
        if let Some(loaded) = self.xdp.get() {
            return Ok(loaded.as_fd());
        }
        let loaded = Loader::new()?.load_program(XDP_PROGRAM, &maps_of(self.tc.as_fd())?)?;
        Ok(self.xdp.get_or_init(|| loaded).as_fd())
    }
}

/// The object, parsed, its type information loaded.
pub(crate) struct Loader {
    object: Object,
    btf: Option<OwnedFd>,
}

impl Loader {
    /// Parses the embedded object.
    pub(crate) fn new() -> Result<Self> {
        let mut object = Object::parse(ferrovs_object::OBJECT).map_err(broken)?;
        // Every kernel that has tcx has all of these but perhaps empty data sections.
        let features = BtfFeatures::new(true, true, true, false, true, true, true, true);
        let btf = object.fixup_and_sanitize_btf(&features).map_err(broken)?;
        let btf = btf
            .map(|btf| sys::load_btf(&btf.to_bytes()))
            .transpose()
            .map_err(Error::system(
                "cannot load type information into the kernel",
            ))?;
        Ok(Self { object, btf })
    }

    /// Makes all maps.
    pub(crate) fn create_maps(&self, sizes: &Sizes) -> Result<MapSet> {
        let create = |(name, map): (&String, &Map)| {
            let map = self.create_map(name, map, sizes).map_err(Error::system(
                "cannot make the tables (a smaller --flows needs less memory)",
            ))?;
            Ok((name.clone(), map))
        };
        self.object.maps.iter().map(create).collect()
    }

    /// Makes a map; an array of maps with the first that it holds, whose size is then the one that depends
    /// on the machine.
    fn create_map(&self, name: &str, map: &Map, sizes: &Sizes) -> std::io::Result<OwnedFd> {
        let mut new = NewMap {
            name,
            kind: map.map_type(),
            key_size: map.key_size(),
            value_size: map.value_size(),
            max_entries: map.max_entries(),
            flags: map.map_flags(),
            types: None,
            inner: None,
        };
        let Some(inner) = map.inner() else {
            new.max_entries = sizes.entries(name).unwrap_or(new.max_entries);
            // A ring has no values whose type could be told.
            if let (Map::Btf(map), Some(btf)) = (map, &self.btf)
                && new.value_size != 0
            {
                let (key, value) = (map.def.btf_key_type_id, map.def.btf_value_type_id);
                new.types = Some((btf.as_fd(), key, value));
            }
            return sys::create_map(&new);
        };
        let inner = self.create_map(name, &inner, sizes)?;
        new.inner = Some(inner.as_fd());
        let outer = sys::create_map(&new)?;
        sys::put_map(outer.as_fd(), 0, inner.as_fd())?;
        Ok(outer)
    }

    /// Loads a program over these maps, and binds all maps to it, so that none goes away while it is
    /// attached.
    pub(crate) fn load_program(mut self, name: &'static str, maps: &MapSet) -> Result<OwnedFd> {
        let code = self.object.functions.keys().map(|&(section, _)| section);
        let code = code.collect();
        let defined = std::mem::take(&mut self.object.maps);
        let placed = defined
            .iter()
            .map(|(name, map)| {
                let fd = maps
                    .get(name)
                    .ok_or_else(|| Error::Object(format!("it wants a map {name}")))?;
                Ok((name.as_str(), fd.as_raw_fd(), map))
            })
            .collect::<Result<Vec<_>>>()?;
        let placed = placed.into_iter();
        self.object.relocate_maps(placed, &code).map_err(broken)?;
        self.object.relocate_calls(&code).map_err(broken)?;
        let program = self.load_linked(name)?;
        for map in maps.values() {
            sys::bind_map(program.as_fd(), map.as_fd())
                .map_err(Error::system("cannot bind a table to a program"))?;
        }
        Ok(program)
    }

    fn load_linked(&self, name: &'static str) -> Result<OwnedFd> {
        let missing = || Error::Object(format!("it has no program {name}"));
        let program = self.object.programs.get(name).ok_or_else(missing)?;
        let functions = &self.object.functions;
        let function: &Function = functions.get(&program.function_key()).ok_or_else(missing)?;
        let (kind, attach_type, flags) = match program.section {
            ProgramSection::Xdp { frags, .. } => {
                (XDP, ATTACH_XDP, if frags { HAS_FRAGS } else { 0 })
            }
            ProgramSection::SchedClassifier => (SCHED_CLS, 0, 0),
            _ => return Err(Error::Object(format!("{name} is in the wrong section"))),
        };
        let function_info = function.func_info.func_info_bytes();
        let line_info = function.line_info.line_info_bytes();
        let new = NewProgram {
            name,
            kind,
            attach_type,
            flags,
            instructions: &instruction_bytes(function),
            license: &program.license,
            btf: self.btf.as_ref().map(AsFd::as_fd),
            functions: (
                &function_info,
                function.func_info_rec_size,
                function.func_info.len(),
            ),
            lines: (
                &line_info,
                function.line_info_rec_size,
                function.line_info.len(),
            ),
        };
        sys::load_program(&new, &mut []).map_err(|error| explain(&new, name, error))
    }
}

/// Loads once more for the verifier's findings, which cost time and memory.
fn explain(new: &NewProgram<'_>, program: &'static str, error: std::io::Error) -> Error {
    let mut log = vec![0; LOG];
    // It fails again: only the log is wanted.
    let _ = sys::load_program(new, &mut log);
    let end = log.iter().position(|&byte| byte == 0).unwrap_or(log.len());
    let log = String::from_utf8_lossy(&log[..end]);
    let lines: Vec<_> = log.lines().rev().take(LOG_LINES).collect();
    let log = lines.into_iter().rev().collect::<Vec<_>>().join(" / ");
    Error::Verifier {
        program,
        error,
        log,
    }
}

fn instruction_bytes(function: &Function) -> Vec<u8> {
    function
        .instructions
        .iter()
        .flat_map(|instruction| {
            let registers = instruction.dst_reg() | instruction.src_reg() << 4;
            let [o0, o1] = instruction.off.to_ne_bytes();
            let [i0, i1, i2, i3] = instruction.imm.to_ne_bytes();
            [instruction.code, registers, o0, o1, i0, i1, i2, i3]
        })
        .collect()
}

fn broken(error: impl std::fmt::Display) -> Error {
    Error::Object(error.to_string())
}

/// The maps that a loaded program uses, by name.
pub(crate) fn maps_of(program: BorrowedFd<'_>) -> Result<MapSet> {
    let problem = "cannot look at the tables of a program";
    let info = sys::program_info(program).map_err(Error::system(problem))?;
    let open = |&id: &u32| {
        let map = sys::map_by_id(id)?;
        Ok((sys::map_info(map.as_fd())?.name, map))
    };
    let maps = info.maps.iter().map(open);
    maps.collect::<std::io::Result<_>>()
        .map_err(Error::system(problem))
}
