"""Modified Kneser-Ney (Chen & Goodman 1999) once more, from its definition: slow, with dicts."""

from collections import Counter, defaultdict

START, END, UNKNOWN = "<s>", "</s>", "<unk>"


class Reference:
    """p(word | history) of sentences given as lists of words."""

    def __init__(self, sentences, vocabulary, order, cutoffs=None, fallback=(0.5, 1.0, 1.5)):
        self.order = order
        self.cutoffs = [None, *(cutoffs or [0] * order)]
        self.predicted = [*vocabulary, END, UNKNOWN]
        raw = [Counter() for _ in range(order + 1)]
        for sentence in sentences:
            tokens = [START, *sentence, END]
            for n in range(1, order + 1):
                for i in range(len(tokens) - n + 1):
                    raw[n][tuple(tokens[i:i + n])] += 1
        self.counts = [Counter() for _ in range(order + 1)]
        for n in range(1, order + 1):
            if n == order:
                self.counts[n] = raw[n]
                continue
            before = defaultdict(set)
            for gram in raw[n + 1]:
                before[gram[1:]].add(gram[0])
            for gram in raw[n]:
                self.counts[n][gram] = raw[n][gram] if gram[0] == START else len(before[gram])
        self.counts[1].pop((START,), None)
        self.discounts = [None]
        for n in range(1, order + 1):
            n1, n2, n3, n4 = (sum(c == i for c in self.counts[n].values()) for i in (1, 2, 3, 4))
            if n1 and n2 and n3 and n4:
                y = n1 / (n1 + 2 * n2)
                self.discounts.append((1 - 2 * y * n2 / n1, 2 - 3 * y * n3 / n2,
                                       3 - 4 * y * n4 / n3))
            else:
                self.discounts.append(fallback)

    def probability(self, word, history):
        history = tuple(history)[-(self.order - 1):] if self.order > 1 else ()
        lower = self.probability(word, history[1:]) if history else 1 / len(self.predicted)
        n = len(history) + 1
        followers = {gram: c for gram, c in self.counts[n].items() if gram[:-1] == history}
        total = sum(followers.values())
        if not total:
            return lower
        d = self.discounts[n]
        cutoff = self.cutoffs[n]
        gamma = sum(d[min(c, 3) - 1] if c > cutoff else c for c in followers.values()) / total
        count = followers.get((*history, word), 0)
        own = (count - d[min(count, 3) - 1]) / total if count > cutoff else 0
        return own + gamma * lower
