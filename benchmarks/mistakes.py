"""Claim: of labels and of weak slices planted in a folder of photographs, `label_errors` and `slices` find the shares
that docs/debug.md has.

The photographs are the stamps (`apt-get install tuxpaint-stamps-default`), kinds of at least LEAST. The network is
efficientnet-lite0 with a linear head of these kinds, trained on a random half; the other half is looked through. There
LABELS of the labels are made wrong, at random; or a quarter of the pictures is turned upside down. Means and 95 %
intervals (2.5 to 97.5 % of bootstrap samples of the rounds) over ROUNDS halves; nothing was chosen on these figures.
"""

import copy
import tempfile
import warnings

import numpy as np
import torch
from machine import machine
from PIL import ImageOps
from sklearn.linear_model import LogisticRegression

import explain
from explain.data import from_arrays

LEAST, ROUNDS, LABELS, SIDE = 18, 20, 0.1, 224


def main() -> None:
    model, stamps = explain.load_model("efficientnet-lite0"), explain.load_images("stamps")
    counts = np.bincount(stamps.labels)
    chosen = np.flatnonzero(counts[stamps.labels] >= LEAST)
    kinds = [name for k, name in enumerate(stamps.classes) if counts[k] >= LEAST]
    names = np.array([stamps.classes[k] for k in stamps.labels[chosen]])
    pictures = np.stack([np.asarray(ImageOps.fit(stamps[int(k)].convert("RGB"), (SIDE, SIDE))) for k in chosen])
    print(f"{machine()}; {len(chosen)} pictures of {', '.join(kinds)}")
    rows = {"labels": [], "slices": []}
    with tempfile.TemporaryDirectory() as folder:
        features = looked_through(model, pictures, names, f"{folder}/all").features
        for seed in range(ROUNDS):
            random = np.random.default_rng(seed)
            order = random.permutation(len(chosen))
            own, others = order[: len(order) // 2], order[len(order) // 2 :]
            net = with_head(model, features[own], names[own], kinds)
            rows["labels"].append(labels_found(net, pictures[others], names[others], random, f"{folder}/l{seed}"))
            rows["slices"].append(slices_found(net, pictures[others], names[others], random, f"{folder}/s{seed}"))
    said("labels: accuracy of the network", [one[0] for one in rows["labels"]])
    said("labels: precision", [one[1] for one in rows["labels"]])
    said("labels: recall", [one[2] for one in rows["labels"]])
    said("slices: accuracy upside down", [one[0] for one in rows["slices"]])
    said("slices: precision, upside down among the pictures of slices", [one[1] for one in rows["slices"]])
    said("slices: their share of all pictures", [one[2] for one in rows["slices"]])
    said("slices: recall of the mistakes upside down", [one[3] for one in rows["slices"]])


def looked_through(model, pictures, names, out):
    return explain.build_index(model, from_arrays(pictures, names), out=out)


def with_head(model, features, names, kinds):
    """The network with a head that logistic regression has learned."""
    numbers = np.array([kinds.index(name) for name in names])
    scale = features.std()
    learned = LogisticRegression(C=1.0, max_iter=2000).fit(features / scale, numbers)
    net = copy.deepcopy(model._net)
    net.classifier = torch.nn.Linear(features.shape[1], len(kinds))
    with torch.no_grad():
        net.classifier.weight.copy_(torch.tensor(learned.coef_ / scale))
        net.classifier.bias.copy_(torch.tensor(learned.intercept_))
    return explain.wrap(net, kinds, model.preprocess, name="stamps-head")


def labels_found(net, pictures, names, random, out):
    """Accuracy with the true labels; precision and recall of label_errors for labels that were made wrong."""
    wrong = random.choice(len(names), round(LABELS * len(names)), replace=False)
    given = names.copy()
    for k in wrong:
        given[k] = random.choice([kind for kind in net.classes if kind != names[k]])
    index = looked_through(net, pictures, given, out)
    right = np.mean([index.prediction(k) == names[k] for k in range(len(names))])
    suspected = set(explain.label_errors(index).suspects["image"])
    hits = len(suspected & set(wrong.tolist()))
    return right, hits / len(suspected) if suspected else np.nan, hits / len(wrong)


def slices_found(net, pictures, names, random, out):
    """A quarter upside down: accuracy on those, precision of the slices, their share, recall of those mistakes."""
    turned = np.zeros(len(names), bool)
    turned[random.choice(len(names), len(names) // 4, replace=False)] = True
    shown = np.where(turned[:, None, None, None], pictures[:, ::-1, ::-1], pictures)
    index = looked_through(net, shown, names, out)
    mistakes = np.array([index.prediction(k) != names[k] for k in range(len(names))]) & turned
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # too few to cluster, which is a finding
        found = explain.slices(index)
    members = np.unique(np.array(found.rows["image"], int))
    precision = turned[members].mean() if len(members) else np.nan
    recall = mistakes[members].sum() / max(mistakes.sum(), 1)
    return 1 - mistakes.sum() / turned.sum(), precision, len(members) / len(names), recall


def said(what, values):
    values = np.array(values, float)
    known = values[np.isfinite(values)]
    if not len(known):
        print(f"{what}: none")
        return
    draws = np.random.default_rng(0).choice(known, (4000, len(known))).mean(1)
    low, high = np.percentile(draws, [2.5, 97.5])
    none = f", {len(values) - len(known)} rounds without any" if len(known) < len(values) else ""
    print(f"{what}: {known.mean():.2f} ({low:.2f} to {high:.2f}){none}")


if __name__ == "__main__":
    main()
