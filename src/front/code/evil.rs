//! Archives made by hand, for tests: whatever the library would refuse to write.

/// An entry of an archive, in the words of the format.
#[derive(Clone)]
pub struct Entry {
    pub name: Vec<u8>,
    /// The upper byte of "version made by": 0 for DOS, 3 for Unix.
    pub system: u8,
    /// The mode with the bits of its kind; kept in the upper half of the external attributes.
    pub mode: u32,
    pub flags: u16,
    pub method: u16,
    pub data: Vec<u8>,
    /// The size of what comes out, as declared.
    pub size: u32,
    pub crc: u32,
}

/// Makes a stored file of Unix, of mode 0644.
pub fn file(name: &str, data: &[u8]) -> Entry {
    Entry {
        name: name.as_bytes().to_vec(),
        system: 3,
        mode: 0o100_644,
        flags: 0,
        method: 0,
        data: data.to_vec(),
        size: data.len() as u32,
        crc: crc32(data),
    }
}

/// Makes a symbolic link.
pub fn link(name: &str, target: &str) -> Entry {
    Entry {
        mode: 0o120_777,
        ..file(name, target.as_bytes())
    }
}

/// Makes a file of `abc`, deflated: one block that is stored.
pub fn deflated(name: &str) -> Entry {
    Entry {
        method: 8,
        data: b"\x01\x03\0\xfc\xffabc".to_vec(),
        ..file(name, b"abc")
    }
}

/// Puts entries together, with a directory that is right in all but what the entries say.
pub fn zip(entries: &[Entry]) -> Vec<u8> {
    let (mut bytes, mut directory) = (Vec::new(), Vec::new());
    for entry in entries {
        let offset = bytes.len() as u32;
        let mut common = Vec::new();
        for number in [20, entry.flags, entry.method, 0, 0x21] {
            common.extend(number.to_le_bytes());
        }
        for number in [entry.crc, entry.data.len() as u32, entry.size] {
            common.extend(number.to_le_bytes());
        }
        common.extend((entry.name.len() as u16).to_le_bytes());
        common.extend([0, 0]);
        bytes.extend(b"PK\x03\x04");
        bytes.extend(&common);
        bytes.extend(&entry.name);
        bytes.extend(&entry.data);
        directory.extend(b"PK\x01\x02");
        directory.extend([20, entry.system]);
        directory.extend(&common);
        directory.extend([0; 6]);
        directory.extend((entry.mode << 16).to_le_bytes());
        directory.extend(offset.to_le_bytes());
        directory.extend(&entry.name);
    }
    let start = bytes.len() as u32;
    bytes.extend(&directory);
    bytes.extend(b"PK\x05\x06\0\0\0\0");
    bytes.extend([(entries.len() as u16).to_le_bytes(); 2].concat());
    bytes.extend((directory.len() as u32).to_le_bytes());
    bytes.extend(start.to_le_bytes());
    bytes.extend([0, 0]);
    bytes
}

fn crc32(data: &[u8]) -> u32 {
    let step = |crc: u32, byte: &u8| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg())
        })
    };
    !data.iter().fold(!0, step)
}
