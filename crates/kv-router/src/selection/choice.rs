//! The choice among costs: the least, or a draw that prefers the lesser.

use rand_chacha::rand_core::Rng;

/// A number from 0 up to, but not including, 1.
fn uniform(draws: &mut impl Rng) -> f64 {
    (draws.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
}

/// Takes the cheapest at temperature 0, one of equals by a draw; above, draws
/// by a softmax over costs scaled to their range. `None` without candidates.
/// Costs are finite and at least 0.
pub(crate) fn pick<T: Copy>(
    costs: &[(T, f64)],
    temperature: f64,
    draws: &mut impl Rng,
) -> Option<T> {
    let least = costs.iter().map(|&(_, cost)| cost).reduce(f64::min)?;
    if temperature > 0.0 {
        return draw(costs, least, temperature, uniform(draws));
    }
    let cheapest = || costs.iter().filter(|(_, cost)| *cost <= least);
    let ties = cheapest().count();
    let at = if ties > 1 {
        (uniform(draws) * ties as f64) as usize
    } else {
        0
    };
    cheapest().nth(at).map(|&(id, _)| id)
}

/// The candidate in whose part of the weights `at`, from 0 to 1, lies.
fn draw<T: Copy>(costs: &[(T, f64)], least: f64, temperature: f64, at: f64) -> Option<T> {
    let most = costs.iter().map(|&(_, cost)| cost).fold(least, f64::max);
    let range = most - least;
    let weight = |cost: f64| {
        if range > 0.0 {
            // Divided one after the other: the product could vanish.
            (-(cost - least) / range / temperature).exp()
        } else {
            1.0
        }
    };
    let target = at * costs.iter().map(|&(_, cost)| weight(cost)).sum::<f64>();
    let mut sum = 0.0;
    let drawn = costs.iter().find(|&&(_, cost)| {
        sum += weight(cost);
        // Nobody without weight is drawn, even by a draw of 0.
        sum >= target && sum > 0.0
    });
    drawn.or(costs.last()).map(|&(id, _)| id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_draw_follows_the_weights_and_a_cold_one_the_least_cost() {
        let costs = [('a', 13.0), ('b', 4.0), ('c', 7.0)];
        // Weights at temperature 1: .1765, .4798, .3438.
        for (at, drawn) in [(0.17, 'a'), (0.18, 'b'), (0.65, 'b'), (0.66, 'c')] {
            assert_eq!(draw(&costs, 4.0, 1.0, at), Some(drawn), "{at}");
        }
        for temperature in [1e-3, 1e-300, f64::MIN_POSITIVE] {
            for at in [0.0, 0.5, 0.999] {
                assert_eq!(draw(&costs, 4.0, temperature, at), Some('b'));
            }
        }
        let extreme = [('a', f64::MAX), ('b', 0.0)];
        assert_eq!(draw(&extreme, 0.0, 1e-3, 0.999), Some('b'));
    }
}
