"""Work in N parts, for machines that share it or hours that are few."""


def part(items: list, shard: str) -> list:
    """Every N-th item from the K-th on, of "K/N": what lies together is spread over the parts.

    Raises ValueError unless 1 <= K <= N.
    """
    number, _, count = shard.partition("/")
    if not (number.isdigit() and count.isdigit() and 1 <= int(number) <= int(count)):
        raise ValueError(f"--shard={shard}: give K/N, the K-th of N parts, as in 2/4")
    return items[int(number) - 1 :: int(count)]
