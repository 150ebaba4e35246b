"""Makes phi_tails.ts: exact tails of the normal distribution, with 80 decimal digits and nothing but the series around 0.

python3 tests/liveness/phi_tails.py > tests/liveness/phi_tails.ts
"""

from decimal import Decimal, getcontext

DIGITS = 80
# Q = 1/2 - P loses as many digits as Q has zeros, and the terms of an alternating series grow to exp(y^2/2): the series of positive
# terms is used, so only the former counts: 800 digits for Q(60) = 10^-784.
getcontext().prec = 800 + DIGITS


def arctan_of_inverse(n: int) -> Decimal:
    term = total = Decimal(1) / n
    k = 1
    while abs(term) > Decimal(10) ** -(getcontext().prec + 5):
        term = -term / (n * n)
        k += 2
        total += term / k
    return total


PI = 4 * (4 * arctan_of_inverse(5) - arctan_of_inverse(239))
ROOT_TAU = (2 * PI).sqrt()


def density(y: Decimal) -> Decimal:
    return (-y * y / 2).exp() / ROOT_TAU


def tail(y: Decimal) -> Decimal:
    term = total = y
    n = 1
    while term != 0 and abs(term) > Decimal(10) ** -(getcontext().prec + 5):
        n += 2
        term = term * y * y / n
        total += term
    return Decimal("0.5") - density(y) * total


def quantile(phi: Decimal) -> Decimal:
    """Newton on log Q, whose slope is nearly straight."""
    target = -phi * Decimal(10).ln()
    y = (2 * phi).sqrt()
    for _ in range(60):
        q = tail(y)
        step = (q.ln() - target) * q / density(y)
        y += step
        if abs(step) < Decimal(10) ** -30:
            return y
    raise ArithmeticError(phi)


def main() -> None:
    print('''/**
 * Exact tails of the standard normal distribution.
 *
 * Made by phi_tails.py with Python's decimal numbers: Q(y) = 1/2 - density(y) * (y + y^3/3 + y^5/15 + ...), summed with 880 digits, so
 * that Q(60) = 10^-784 keeps 80 of them; the points by Newton's method on ln Q.
 *
 * @module
 */

/** [y, -log10 Q(y)] */
export const TAILS: readonly (readonly [number, number])[] = [''')
    ys = [Decimal(n) / 4 for n in range(-32, 49)]
    ys += [Decimal("2.999999"), Decimal("3.000001"), Decimal("3.14159"), Decimal("5.612001")]
    ys += [Decimal(n) for n in (13, 15, 20, 25, 30, 35, 38, 40, 45, 50, 55, 60)]
    for y in sorted(ys):
        print(f"  [{y.normalize():f}, {float(-tail(y).log10())!r}],")
    print('''];

/** [phi, z] with Q(z) = 10^-phi */
export const QUANTILES: readonly (readonly [number, string])[] = [''')
    phis = [Decimal(n) / 4 for n in range(4, 65)]
    phis += [Decimal(s) for s in ("1.01", "2.8697", "3.14159", "4.2649", "7.999", "9.5312", "15.99")]
    # The point is a string, so that a reader sees more digits than a double has.
    getcontext().prec = 120
    for phi in sorted(phis):
        print(f'  [{phi.normalize():f}, "{quantile(phi):.18f}"],')
    print("];")


main()
