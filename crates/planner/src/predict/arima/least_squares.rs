//! Least squares of minimum norm by a singular value decomposition (one-sided Jacobi, which is accurate to the last
//! digits also for nearly collinear columns).

/// Singular values below this part of the largest count as zero.
const RANK_TOLERANCE: f64 = 1e-15;
/// Columns are orthogonal when their cosine is below this.
const ORTHOGONAL: f64 = 1e-15;
const MAX_SWEEPS: usize = 60;

/// A matrix as a list of its columns, all of one length.
pub(super) type Columns = Vec<Vec<f64>>;

/// The shortest `x` that minimises `|sum(x[j] columns[j]) - target|`.
pub(super) fn least_squares(columns: &Columns, target: &[f64]) -> Vec<f64> {
    let wide = columns.len() > target.len();
    // A wide matrix is decomposed as its transpose.
    let mut rotated = if wide {
        transpose(columns, target.len())
    } else {
        columns.clone()
    };
    let basis = orthogonalise(&mut rotated);
    let norms: Vec<f64> = rotated.iter().map(|column| dot(column, column)).collect();
    let largest = norms.iter().copied().fold(0.0, f64::max);
    let kept = |norm: f64| norm > RANK_TOLERANCE * RANK_TOLERANCE * largest;
    // With `rotated = U S` and `basis = V`: x = V S^-2 (U S)' y, and for the transpose x = (U S) S^-2 V' y.
    let (left, right) = if wide {
        (&basis, &rotated)
    } else {
        (&rotated, &basis)
    };
    let mut solution = vec![0.0; columns.len()];
    for ((l, r), norm) in left.iter().zip(right).zip(&norms) {
        if kept(*norm) {
            let weight = dot(l, target) / norm;
            for (s, v) in solution.iter_mut().zip(r) {
                *s += weight * v;
            }
        }
    }
    solution
}

/// Rotates pairs of columns until all are orthogonal; returns the columns of the rotation.
fn orthogonalise(columns: &mut Columns) -> Columns {
    let n = columns.len();
    let mut basis: Columns = (0..n)
        .map(|i| (0..n).map(|j| f64::from(u8::from(i == j))).collect())
        .collect();
    for _ in 0..MAX_SWEEPS {
        let mut rotated = false;
        for i in 0..n {
            for j in i + 1..n {
                let (a, b) = (dot(&columns[i], &columns[i]), dot(&columns[j], &columns[j]));
                let c = dot(&columns[i], &columns[j]);
                if c.abs() <= ORTHOGONAL * (a * b).sqrt() || c == 0.0 {
                    continue;
                }
                rotated = true;
                let zeta = (b - a) / (2.0 * c);
                let tangent = zeta.signum() / (zeta.abs() + (1.0 + zeta * zeta).sqrt());
                let cosine = 1.0 / (1.0 + tangent * tangent).sqrt();
                rotate(columns, i, j, cosine, cosine * tangent);
                rotate(&mut basis, i, j, cosine, cosine * tangent);
            }
        }
        if !rotated {
            break;
        }
    }
    basis
}

fn rotate(columns: &mut Columns, i: usize, j: usize, cosine: f64, sine: f64) {
    let (head, tail) = columns.split_at_mut(j);
    for (x, y) in head[i].iter_mut().zip(&mut tail[0]) {
        (*x, *y) = (cosine * *x - sine * *y, sine * *x + cosine * *y);
    }
}

fn transpose(columns: &Columns, rows: usize) -> Columns {
    (0..rows)
        .map(|row| columns.iter().map(|column| column[row]).collect())
        .collect()
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn assert_close(got: &[f64], expected: &[f64]) {
        for (a, b) in got.iter().zip(expected) {
            assert!((a - b).abs() < 1e-12, "{got:?} {expected:?}");
        }
    }

    #[test]
    fn tall_wide_and_rank_deficient_systems() {
        let tall = vec![vec![1.0, 1.0, 1.0], vec![0.0, 1.0, 2.0]];
        assert_close(&least_squares(&tall, &[1.0, 3.0, 5.0]), &[1.0, 2.0]);
        // One equation, two unknowns: the shortest solution is along the row.
        let wide = vec![vec![3.0], vec![4.0]];
        assert_close(&least_squares(&wide, &[5.0]), &[0.6, 0.8]);
        // Equal columns share the weight.
        let equal = vec![vec![1.0, 2.0], vec![1.0, 2.0]];
        assert_close(&least_squares(&equal, &[2.0, 4.0]), &[1.0, 1.0]);
        assert_close(&least_squares(&vec![vec![0.0, 0.0]], &[1.0, 1.0]), &[0.0]);
    }
}
