//! What can happen to a stream on its way.

use lookback_mpegts::PACKET_LEN;

use super::synthetic::Noise;

/// One thing that happens, at a packet.
#[derive(Clone, Debug)]
pub(crate) enum Damage {
    /// So many packets in a row are lost.
    Drop(usize),
    /// A packet loses its end.
    Cut(usize),
    /// So many other bytes come in front of a packet.
    Garbage(usize),
    /// A packet loses its sync byte.
    Desync,
    /// A packet is marked as damaged.
    Mark,
    /// A packet is sent twice.
    Twice,
    /// A bit of a packet changes.
    Flip(usize),
}

/// Damages a stream of whole packets. Each damage is given with the packet that it happens to, modulo
/// their number; a packet takes one damage.
pub(crate) fn apply(stream: &[u8], damages: &[(usize, Damage)]) -> Vec<u8> {
    let (packets, _) = stream.as_chunks::<PACKET_LEN>();
    let mut at: std::collections::BTreeMap<usize, &Damage> = std::collections::BTreeMap::new();
    for (packet, damage) in damages {
        at.insert(packet % packets.len().max(1), damage);
    }
    let mut noise = Noise(stream.len() as u64 | 1);
    let mut out = Vec::with_capacity(stream.len());
    let mut dropping = 0;
    for (number, packet) in packets.iter().enumerate() {
        let mut packet = *packet;
        match at.get(&number) {
            Some(Damage::Drop(count)) => dropping = dropping.max(*count),
            Some(Damage::Cut(len)) => {
                // A sync byte that lies just where the next is expected would hide the break.
                let hides = |len: &usize| {
                    let next = packets.get(number + 1);
                    next.is_some_and(|next| next.get(PACKET_LEN - len) == Some(&0x47))
                };
                let len = (0..=len % PACKET_LEN).rev().find(|len| !hides(len));
                out.extend_from_slice(&packet[..len.unwrap_or(0)]);
                continue;
            }
            Some(Damage::Garbage(len)) => {
                out.extend(
                    (0..*len)
                        .map(|_| noise.below(256) as u8)
                        .map(|byte| byte ^ u8::from(byte == 0x47)),
                );
            }
            Some(Damage::Desync) => packet[0] = 0x46,
            Some(Damage::Mark) => packet[1] |= 0x80,
            Some(Damage::Twice) => out.extend_from_slice(&packet),
            Some(Damage::Flip(bit)) => packet[bit / 8 % PACKET_LEN] ^= 1 << (bit % 8),
            None => {}
        }
        if dropping > 0 {
            dropping -= 1;
            continue;
        }
        out.extend_from_slice(&packet);
    }
    out
}
