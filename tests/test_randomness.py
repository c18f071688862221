from asr.randomness import generator, seed_of


def test_what_belongs_to_a_name_is_the_same_everywhere():
    """Written down once: another version of Python or numpy must draw the same."""
    assert seed_of(0, "dropout", 1, "utterance", 0) == -906336684995423721
    drawn = generator(0, "mask", 1, "utterance", 0).integers(0, 1 << 32, 3)
    assert drawn.tolist() == [3647760130, 663620451, 2601608129]


def test_other_names_have_other_seeds_of_64_bits():
    seeds = [seed_of(0, "dropout", epoch, name) for epoch in range(100) for name in "ab"]
    assert len(set(seeds)) == 200
    assert min(seeds) < -(1 << 62) and max(seeds) > 1 << 62
    assert all(-(1 << 63) <= seed < 1 << 63 for seed in seeds)
