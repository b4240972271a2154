"""CityHash64, version 1.0: the function by which CatBoost turns the text of a category into a number.

A one-hot split of CatBoost names its category by the low 32 bits of this hash only, so that reading the categories of a
table takes the hash of each. All arithmetic is modulo 2 ** 64.

References
----------
G. Pike and J. Alakuijala, "CityHash", 2011, https://github.com/google/cityhash (tag 1.0.3)
"""

from __future__ import annotations

MASK = (1 << 64) - 1
K0, K1, K2, K3 = 0xC3A5C85C97CB3127, 0xB492B66FBE98F273, 0x9AE16A3B2F90404F, 0xC949D7C7509E6557
"""Primes between 2 ** 63 and 2 ** 64."""
K_MUL = 0x9DDFEA08EB382D69


def category_hash(text: str) -> int:
    """Return CatBoost's number of a category: the low 32 bits of the hash of its UTF-8 bytes, as a signed integer."""
    low = _city_hash_64(text.encode()) & 0xFFFFFFFF
    return low - (1 << 32) if low >> 31 else low


def _city_hash_64(data: bytes) -> int:
    if len(data) <= 16:
        return _up_to_16(data)
    if len(data) <= 32:
        return _17_to_32(data)
    if len(data) <= 64:
        return _33_to_64(data)
    return _over_64(data)


def _up_to_16(data: bytes) -> int:
    size = len(data)
    if size > 8:
        first, last = _word(data, 0), _word(data, size - 8)
        return _mix(first, _rotate((last + size) & MASK, size)) ^ last
    if size >= 4:
        first, last = (int.from_bytes(part, "little") for part in (data[:4], data[-4:]))
        return _mix(size + (first << 3), last)
    if size:
        y = data[0] + (data[size >> 1] << 8)
        z = size + (data[-1] << 2)
        return _shift_mix((y * K2 ^ z * K3) & MASK) * K2 & MASK
    return K2


def _17_to_32(data: bytes) -> int:
    size = len(data)
    a, b = _word(data, 0) * K1 & MASK, _word(data, 8)
    c, d = _word(data, size - 8) * K2 & MASK, _word(data, size - 16) * K0
    first = _rotate((a - b) & MASK, 43) + _rotate(c, 30) + d
    return _mix(first & MASK, (a + _rotate(b ^ K3, 20) - c + size) & MASK)


def _33_to_64(data: bytes) -> int:
    size = len(data)
    head = _word(data, 0) + (size + _word(data, size - 16)) * K0
    v_first, v_second = _half(head, _word(data, 8), _word(data, 16), _word(data, 24))
    tail = _word(data, 16) + _word(data, size - 32)
    w_first, w_second = _half(tail, _word(data, size - 24), _word(data, size - 16), _word(data, size - 8))
    mixed = _shift_mix(((v_first + w_second) * K2 + (w_first + v_second) * K0) & MASK)
    return _shift_mix((mixed * K0 + v_second) & MASK) * K2 & MASK


def _half(a: int, second: int, third: int, z: int) -> tuple[int, int]:
    b = _rotate((a + z) & MASK, 52)
    c = _rotate(a & MASK, 37)
    a += second
    c += _rotate(a & MASK, 7)
    a += third
    return (a + z) & MASK, (b + _rotate(a & MASK, 31) + c) & MASK


def _over_64(data: bytes) -> int:
    size = len(data)
    x, y, z = _word(data, 0), _word(data, size - 16) ^ K1, _word(data, size - 56) ^ K0
    v = _weak(data, size - 64, size, y)
    w = _weak(data, size - 32, size * K1, K0)
    z += _shift_mix(v[1]) * K1
    x = _rotate((z + x) & MASK, 39) * K1
    y = _rotate(y, 33) * K1
    for start in range(0, (size - 1) & ~63, 64):
        x = _rotate((x + y + v[0] + _word(data, start + 16)) & MASK, 37) * K1 & MASK
        y = _rotate((y + v[1] + _word(data, start + 48)) & MASK, 42) * K1 & MASK
        x ^= w[1]
        y ^= v[0]
        z = _rotate((z ^ w[0]) & MASK, 33)
        v = _weak(data, start, v[1] * K1, x + w[0])
        w = _weak(data, start + 32, z + w[1], y)
        x, z = z, x
    return _mix((_mix(v[0], w[0]) + _shift_mix(y) * K1 + z) & MASK, (_mix(v[1], w[1]) + x) & MASK)


def _weak(data: bytes, start: int, a: int, b: int) -> tuple[int, int]:
    """Hash 32 bytes with two seeds."""
    w, x, y, z = (_word(data, start + step) for step in (0, 8, 16, 24))
    a += w
    b = _rotate((b + a + z) & MASK, 21)
    c = a
    a += x + y
    b += _rotate(a & MASK, 44)
    return (a + z) & MASK, (b + c) & MASK


def _word(data: bytes, start: int) -> int:
    return int.from_bytes(data[start : start + 8], "little")


def _rotate(value: int, shift: int) -> int:
    return (value >> shift | value << (64 - shift)) & MASK


def _shift_mix(value: int) -> int:
    return value ^ value >> 47


def _mix(u: int, v: int) -> int:
    a = _shift_mix((u ^ v) * K_MUL & MASK)
    b = _shift_mix((v ^ a) * K_MUL & MASK)
    return b * K_MUL & MASK
