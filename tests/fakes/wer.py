"""How far what was heard is from what was said."""


def word_error_rate(reference, heard):
    """Substitutions, insertions and deletions it takes to get from one list of words to the other, per spoken word."""
    row = list(range(len(heard) + 1))
    for said in range(1, len(reference) + 1):
        diagonal, row[0] = row[0], said
        for place in range(1, len(heard) + 1):
            wrong = diagonal + (reference[said - 1] != heard[place - 1])
            diagonal = row[place]
            row[place] = min(wrong, row[place] + 1, row[place - 1] + 1)
    return row[-1] / len(reference)
