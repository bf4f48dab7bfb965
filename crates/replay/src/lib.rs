//! One run of a simulated deployment: drives workload, router, engines and planner over their seams.
