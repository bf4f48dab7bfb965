//! Why a decision came out as it did.

macro_rules! reasons {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident => $text:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum $name {
            $($(#[$variant_doc])* $variant,)*
        }

        impl $name {
            /// The name in logs and reports.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $text,)*
                }
            }
        }
    };
}

reasons! {
    /// Reasons of load-based scaling.
    LoadReason {
        /// Load scaling is off.
        Disabled => "disabled",
        /// No worker has reported a pass.
        NoPasses => "no_fpm_data",
        /// The workers that report are not the workers that are ready.
        WorkerCountMismatch => "worker_count_mismatch",
        /// The last decision is not carried out yet.
        ScalingInProgress => "scaling_in_progress",
        /// The model has too few samples, or an engine limit is unknown.
        InsufficientData => "insufficient_data",
        /// All is well.
        NoChange => "no_change",
        /// More replicas.
        ScaleUp => "scale_up",
        /// Fewer replicas.
        ScaleDown => "scale_down",
        /// Fewer would do now, but the predicted traffic needs these.
        CappedByThroughput => "scale_down_capped_by_throughput",
        /// The remaining replicas could not take over the work within the targets.
        ConsolidationRefused => "scale_down_refused_consolidation",
    }
}

reasons! {
    /// Reasons of throughput-based scaling.
    ThroughputReason {
        /// Throughput scaling is off.
        Disabled => "disabled",
        /// A predictor failed.
        PredictFailed => "predict_failed",
        /// The traffic window is empty.
        NoTraffic => "no_traffic_data",
        /// The model cannot tell an engine's capacity.
        ModelNotReady => "model_not_ready",
        /// The other pool's model cannot tell.
        PartnerNotReady => "partner_not_ready",
        /// Load scaling decides, above this bound.
        SetLowerBound => "set_lower_bound",
        /// The decision is the predicted need.
        Scale => "scale",
    }
}
