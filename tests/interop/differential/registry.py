"""All sequences, in the order in which they are written."""
SEQUENCES = {}


def sequence(name):
    def add(function):
        assert name not in SEQUENCES, name
        SEQUENCES[name] = function
        return function
    return add


def each(template, cases):
    """A sequence a case; `template` is filled with the case, or with the values that it has."""
    def add(function):
        for case in cases:
            values = case if isinstance(case, tuple) else (case,)
            sequence(template.format(*values))(lambda p, values=values: function(p, *values))
        return function
    return add
