"""A learning curve's forecast follows the law it was drawn from, and its interval holds what comes."""

import numpy as np

from studio.evaluation.scaling import Forecast, Trained, forecast

SIZES = (75, 150, 225, 300)


def curve(random, *, level=1.2, power=0.35, titles=200, seeds=3, size=None):
    """Trainings whose errors follow level * n^-power; a title has its own difficulty."""
    names = ["".join(chr(0x4E00 + each) for each in random.integers(0, 20000, 12)) for _ in range(titles)]
    difficulty = random.normal(0, 1, titles)
    found = []
    for rows in SIZES if size is None else (size,):
        for seed in range(seeds):
            score = difficulty + random.normal(0, 0.5, titles)
            count = round(titles * min(1, level * rows**-power))
            worst = set(np.argsort(-score)[:count].tolist())
            wrong = {name: number in worst for number, name in enumerate(names)}
            found.append(Trained(rows=rows, seed=seed, wrong=wrong))
    return found, {name: "体育" if number % 2 else "国际" for number, name in enumerate(names)}


def test_the_forecast_is_the_law_that_the_errors_follow():
    trained, labels = curve(np.random.default_rng(1))
    found = forecast(trained, labels, {"体育": 150, "国际": 150})
    truth = 1 - 1.2 * 600**-0.35
    expected = found.accuracy_at(600)
    assert abs(expected.value - truth) < 0.01 and expected.low < truth < expected.high
    assert abs(found.exponent.value - 0.35) < 0.03
    assert [each.rows for each in found.measured] == list(SIZES)


def test_more_rows_help_a_weak_category_more_and_nothing_where_nothing_is_learned():
    trained, labels = curve(np.random.default_rng(2))
    found = forecast(trained, labels, {"体育": 20, "国际": 280})
    assert found.categories["体育"].gain.value > found.categories["国际"].gain.value > 0
    flat, labels = curve(np.random.default_rng(3), level=0.3, power=0.0)
    gain = forecast(flat, labels, {"体育": 150, "国际": 150}).categories["体育"].gain
    assert abs(gain.value) < 0.02 and gain.low <= 0.005


def test_the_interval_holds_the_next_training_most_of_the_time():
    held = 0
    for seed in range(25):
        random = np.random.default_rng(100 + seed)
        trained, labels = curve(random, titles=100)
        titles = list(labels)
        # The titles that come are the same; which are wrong is another training's.
        count = 100 * min(1, 1.2 * 450**-0.35) + random.normal(0, 1.5)
        expected = forecast(trained, labels, {}).accuracy_at(450)
        held += expected.low <= 1 - count / len(titles) <= expected.high
    assert held >= 21


def test_a_forecast_is_kept_and_read_as_it_was():
    trained, labels = curve(np.random.default_rng(4), titles=40)
    found = forecast(trained, labels, {"体育": 10})
    assert Forecast.model_validate_json(found.model_dump_json()) == found


def test_one_size_is_no_curve():
    trained, labels = curve(np.random.default_rng(5), size=300)
    assert forecast(trained, labels, {}) is None and forecast([], {}, {}) is None
