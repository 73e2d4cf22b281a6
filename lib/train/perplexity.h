/* perplexity.h — how well a model of a whole vocabulary guesses: e to the mean loss. */
#ifndef FINE__PERPLEXITY_H
#define FINE__PERPLEXITY_H

#include "train/taskwork.h"

extern const struct fine__measure fine__perplexity;

#endif
