//! The GPUs step times can be given for, with the figures of their data sheets.

use crate::error::AicError;
use crate::nearest::hint;
use crate::quant::FlopsKind;

/// Bandwidths, peak rates and sizes of one GPU in its usual node. Bandwidths are bytes/s of one GPU in one direction,
/// rates dense FLOP/s, sizes bytes, latencies seconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct GpuSpec {
    /// Name, such as `h200_sxm`.
    pub name: &'static str,
    /// Bandwidth of the GPU's memory.
    pub mem_bw: f64,
    /// Share of it that a simple kernel reaches.
    pub mem_bw_scale: f64,
    /// What a memory-bound kernel takes whatever its size.
    pub mem_latency: f64,
    /// Size of the GPU's memory.
    pub mem_capacity: u64,
    /// Rate in bfloat16.
    pub bf16_flops: f64,
    /// Rate in int8, 0 where there is none.
    pub int8_flops: f64,
    /// Rate in fp8, 0 where there is none.
    pub fp8_flops: f64,
    /// Rate in fp4, 0 where there is none.
    pub fp4_flops: f64,
    /// Board power in W.
    pub power_w: u32,
    /// CUDA compute capability times ten; 0 for other makers.
    pub sm: u32,
    /// GPUs in a node.
    pub gpus_per_node: u32,
    /// GPUs in a rack that share one fabric; 0 where racks do not.
    pub gpus_per_rack: u32,
    /// Bandwidth inside a node.
    pub intra_node_bw: f64,
    /// Bandwidth between nodes (of a rack, where those share a fabric).
    pub inter_node_bw: f64,
    /// Bandwidth between racks.
    pub inter_rack_bw: f64,
    /// Bandwidth to the host.
    pub pcie_bw: f64,
    /// Latency of a transfer between GPUs.
    pub p2p_latency: f64,
    /// What NCCL keeps for itself with 1, 2, 4 and 8 GPUs.
    pub nccl_memory: [u64; 4],
    /// What the driver and the framework keep for themselves.
    pub other_memory: u64,
}

const GB: f64 = 1e9;
const TERA: f64 = 1e12;

/// What the GPUs of one maker share.
const NVIDIA: GpuSpec = GpuSpec {
    name: "",
    mem_bw: 0.0,
    mem_bw_scale: 0.8,
    mem_latency: 3e-6,
    mem_capacity: 0,
    bf16_flops: 0.0,
    int8_flops: 0.0,
    fp8_flops: 0.0,
    fp4_flops: 0.0,
    power_w: 0,
    sm: 0,
    gpus_per_node: 8,
    gpus_per_rack: 0,
    intra_node_bw: 0.0,
    inter_node_bw: 25.0 * GB,
    inter_rack_bw: 25.0 * GB,
    pcie_bw: 32.0 * GB,
    p2p_latency: 1e-5,
    nccl_memory: [0, 358_612_992, 411_041_792, 411_041_792],
    other_memory: 3_758_096_384,
};

/// Memory bandwidth (GB/s), capacity (bytes), power (W) and compute capability.
const fn gpu(name: &'static str, mem_gbs: f64, capacity: u64, power_w: u32, sm: u32) -> GpuSpec {
    GpuSpec {
        name,
        mem_bw: mem_gbs * GB,
        mem_capacity: capacity,
        power_w,
        sm,
        ..NVIDIA
    }
}

impl GpuSpec {
    /// Peak rates in TFLOPS: bf16, int8, fp8, fp4.
    const fn tera(self, bf16: f64, int8: f64, fp8: f64, fp4: f64) -> Self {
        Self {
            bf16_flops: bf16 * TERA,
            int8_flops: int8 * TERA,
            fp8_flops: fp8 * TERA,
            fp4_flops: fp4 * TERA,
            ..self
        }
    }

    /// Links in GB/s: inside a node, between nodes, to the host.
    const fn links(self, intra: f64, inter: f64, pcie: f64) -> Self {
        Self {
            intra_node_bw: intra * GB,
            inter_node_bw: inter * GB,
            inter_rack_bw: inter * GB,
            pcie_bw: pcie * GB,
            ..self
        }
    }

    /// Four GPUs in a node, 72 in a rack.
    const fn in_racks(self) -> Self {
        Self {
            gpus_per_node: 4,
            gpus_per_rack: 72,
            inter_rack_bw: 100.0 * GB,
            ..self
        }
    }

    /// Every GPU known, tables or not.
    #[rustfmt::skip]
    pub const ALL: [Self; 14] = [
        gpu("a100_sxm", 2039.0, 85_899_345_920, 400, 80).tera(312.0, 624.0, 0.0, 0.0).links(300.0, 25.0, 32.0),
        gpu("a100_pcie", 1935.0, 85_899_345_920, 300, 80).tera(312.0, 624.0, 0.0, 0.0).links(32.0, 25.0, 32.0),
        gpu("a30", 933.0, 25_769_803_776, 165, 80).tera(165.0, 330.0, 0.0, 0.0).links(32.0, 25.0, 32.0),
        gpu("h100_sxm", 3350.0, 85_899_345_920, 700, 90).tera(989.0, 1978.0, 1978.0, 0.0).links(450.0, 50.0, 64.0),
        gpu("h100_pcie", 2000.0, 85_899_345_920, 350, 90).tera(756.5, 1513.0, 1513.0, 0.0).links(64.0, 50.0, 64.0),
        gpu("h200_sxm", 4800.0, 151_397_597_184, 700, 90).tera(989.0, 1978.0, 1978.0, 0.0).links(450.0, 50.0, 64.0),
        gpu("b200_sxm", 7700.0, 193_273_528_320, 1000, 100).tera(2250.0, 4500.0, 4500.0, 9000.0).links(900.0, 100.0, 128.0),
        gpu("b300_sxm", 7750.0, 288_400_343_040, 1100, 103).tera(2250.0, 153.5, 4500.0, 14000.0).links(900.0, 100.0, 128.0),
        gpu("gb200", 8000.0, 198_674_743_296, 1200, 100).tera(2500.0, 5000.0, 5000.0, 10000.0).links(900.0, 900.0, 64.0).in_racks(),
        gpu("gb300", 8000.0, 298_013_687_808, 1400, 103).tera(2500.0, 165.0, 5000.0, 15000.0).links(900.0, 900.0, 64.0).in_racks(),
        gpu("l4", 300.0, 25_769_803_776, 72, 89).tera(121.0, 242.0, 242.0, 0.0).links(32.0, 25.0, 32.0),
        gpu("l40s", 864.0, 48_305_799_168, 350, 89).tera(362.05, 733.0, 733.0, 0.0).links(32.0, 50.0, 32.0),
        gpu("rtx_pro_6000_server", 1792.0, 102_641_958_912, 600, 120)
            .tera(467.800_534_963_698, 935.601_069_927_397, 935.601_069_927_397, 1_871.202_139_854_795).links(64.0, 50.0, 64.0),
        GpuSpec { mem_bw_scale: 0.5, p2p_latency: 2e-6, other_memory: 524_288_000,
            ..gpu("b60", 456.0, 25_769_803_776, 200, 0).tera(98.304, 197.0, 98.304, 0.0).links(28.4, 50.0, 32.0) },
    ];

    /// The GPU with this name or short name (`h200` for `h200_sxm`), letter case aside.
    ///
    /// # Errors
    /// [`AicError::UnknownSystem`] naming the nearest and all there are.
    ///
    /// ```
    /// use aic_perf::GpuSpec;
    /// assert_eq!(GpuSpec::find("H200")?.name, "h200_sxm");
    /// # Ok::<(), aic_perf::AicError>(())
    /// ```
    pub fn find(name: &str) -> Result<&'static Self, AicError> {
        const ALL: &[GpuSpec] = &GpuSpec::ALL;
        let wanted = name.to_lowercase().replace('-', "_");
        ALL.iter()
            .find(|spec| spec.name == wanted || spec.short_name() == wanted)
            .ok_or_else(|| AicError::UnknownSystem {
                given: name.to_owned(),
                hint: hint(name, ALL.iter().map(GpuSpec::short_name)),
                known: ALL.iter().map(|s| s.name).collect::<Vec<_>>().join(", "),
            })
    }

    /// The name without its form factor, where one form is the usual one.
    #[must_use]
    pub fn short_name(&self) -> &'static str {
        let name = self.name;
        name.strip_suffix("_sxm")
            .or_else(|| name.strip_suffix("_server"))
            .unwrap_or(name)
    }

    /// Peak rate for a kind of arithmetic in FLOP/s; none where the GPU lacks it.
    pub(crate) fn flops(&self, kind: FlopsKind) -> Option<f64> {
        let rate = match kind {
            FlopsKind::Bf16 => self.bf16_flops,
            FlopsKind::Int8 => self.int8_flops,
            FlopsKind::Fp8 => self.fp8_flops,
            FlopsKind::Fp4 => self.fp4_flops,
        };
        (rate > 0.0).then_some(rate)
    }

    /// Bandwidth of the slowest link among `gpus` GPUs in bytes/s.
    pub(crate) fn p2p_bandwidth(&self, gpus: u32) -> f64 {
        if gpus <= self.gpus_per_node {
            self.intra_node_bw
        } else if self.gpus_per_rack == 0 || gpus <= self.gpus_per_rack {
            self.inter_node_bw
        } else {
            self.inter_rack_bw
        }
    }

    /// Milliseconds of a kernel that only moves `bytes`.
    pub(crate) fn memory_ms(&self, bytes: f64) -> f64 {
        self.ms_per_byte() * bytes + self.mem_latency * 1e3
    }

    /// What each byte adds to such a kernel.
    pub(crate) fn ms_per_byte(&self) -> f64 {
        1e3 / (self.mem_bw * self.mem_bw_scale)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_names_and_case() {
        for (given, name) in [
            ("b200", "b200_sxm"),
            ("h100", "h100_sxm"),
            ("A100", "a100_sxm"),
            ("gb200", "gb200"),
            ("rtx-pro-6000", "rtx_pro_6000_server"),
            ("a100_pcie", "a100_pcie"),
        ] {
            assert_eq!(GpuSpec::find(given).unwrap().name, name);
        }
    }

    #[test]
    fn unknown_gpu_names_the_nearest() {
        let message = GpuSpec::find("h2000").unwrap_err().to_string();
        assert!(message.contains("did you mean \"h200\""), "{message}");
        assert!(message.contains("rtx_pro_6000_server"), "{message}");
    }

    #[test]
    fn links_widen_with_the_group() {
        let rack = GpuSpec::find("gb200").unwrap();
        assert_eq!(rack.p2p_bandwidth(72), 900e9);
        assert_eq!(rack.p2p_bandwidth(73), 100e9);
        let node = GpuSpec::find("h200").unwrap();
        assert_eq!(node.p2p_bandwidth(8), 450e9);
        assert_eq!(node.p2p_bandwidth(1000), 50e9);
    }
}
