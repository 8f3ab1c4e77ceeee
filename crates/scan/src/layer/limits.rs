//! How much of a layer is looked at.

/// What inspecting one layer may cost. A layer that needs more is not inspected further, and says
/// so: [`LayerProblem`](super::LayerProblem).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LayerLimits {
    /// The most bytes that it may expand to.
    pub expanded: u64,
    /// The most expanded bytes for each stored byte, judged once [`ratio_from`](Self::ratio_from)
    /// bytes have been expanded.
    pub ratio: u64,
    /// From how many expanded bytes on the ratio is judged: small layers compress as they like.
    pub ratio_from: u64,
    /// The most entries of its archive. Each costs 16 bytes while the layer is read.
    pub entries: u64,
    /// The most bytes that may be kept of it: names that matter for the layers around it, and what
    /// its package databases say.
    pub kept: usize,
}

impl Default for LayerLimits {
    /// 64 GiB, 200 to 1 from 256 MiB on, two million entries, 32 MiB kept.
    fn default() -> Self {
        Self {
            expanded: 64 << 30,
            ratio: 200,
            ratio_from: 256 << 20,
            entries: 2_000_000,
            kept: 32 << 20,
        }
    }
}
