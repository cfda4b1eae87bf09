"""What the words of this field mean, in a sentence each: for the tooltips where they stand."""

__all__ = ["TERMS", "explained"]

TERMS = {
    "activation": "What a channel gives at a place of its map: large where it finds what it looks for.",
    "average precision": "How far the pictures of a group are before all others, by how a channel answers: 1 is all.",
    "backbone": "The part of a network before its classifier, which makes features of pictures.",
    "batch normalisation": "Shifts and scales each channel to what is usual for it, so that deep networks train.",
    "channel": "One map of a layer: the same filter, asked at every place of the picture.",
    "class": "One of the answers that a network can give.",
    "concept": "A direction of a layer that a factorisation finds in many pictures: a part of what they share.",
    "confidence": "The probability that a network gives to its answer. It may be sure and wrong.",
    "convolution": "A small window that slides over the maps below: its values times the filter's weights, summed.",
    "embedding": "Pictures as points: what the network takes to be alike lies together.",
    "expanded weights": "What one channel takes from another over all that lies between two convolutions, as a kernel.",
    "features": "What the last layer before the classifier makes of a picture: one row of numbers.",
    "feature visualization": "A picture that an optimiser makes, step by step, so that a channel answers to it more.",
    "filter": "The weights of one channel of a convolution: what it looks for.",
    "Grad-CAM": "Where in a late layer the evidence for a class was, by how the class's score follows its channels.",
    "index": "What a network made of every picture of a set, kept, so that pages answer at once.",
    "layer": "One step of a network. Each takes what the steps before it gave.",
    "patch": "The part of a picture that a unit sees: its receptive field.",
    "receptive field": "The pixels of the input that a unit can depend on; the deeper the layer, the larger.",
    "rectifier": "Keeps what is positive and makes the rest zero (ReLU).",
    "saliency map": "How much each part of the picture counts for an answer, by one of several methods.",
    "unit": "One channel at one place.",
    "verdict": "What was measured of a map: whether hiding what it points at takes the answer away.",
    "weights": "The numbers that training finds.",
}


def explained(*terms: str) -> str:
    """The sentences of some terms, as the help of a widget or a text. Raises KeyError for one that has none."""
    return "\n\n".join(f"**{term[0].upper()}{term[1:]}**: {TERMS[term]}" for term in terms)
