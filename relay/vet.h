/*
 * What reading alone cannot know about a configuration: whether its
 * certificates, keys, trust files and anchors can be used.
 */
#ifndef RELAY_VET_H
#define RELAY_VET_H

#include "conf/conf.h"

/* 0, or -1 with the file and what is wrong with it. */
int vet_conf(const struct conf *conf, struct error *error);

#endif
