//! The autoscaler: regressions, predictors, load and throughput scaling, GPU budgets.
