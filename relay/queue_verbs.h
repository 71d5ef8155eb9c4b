/*
 * The `postern queue` commands, one function each (docs/queue.md).
 */
#ifndef RELAY_QUEUE_VERBS_H
#define RELAY_QUEUE_VERBS_H

int verb_queue_list(const char *conf_path, int argc, char **argv);
int verb_queue_show(const char *conf_path, int argc, char **argv);
int verb_queue_cat(const char *conf_path, int argc, char **argv);
int verb_queue_retry(const char *conf_path, int argc, char **argv);
int verb_queue_hold(const char *conf_path, int argc, char **argv);
int verb_queue_release(const char *conf_path, int argc, char **argv);
int verb_queue_remove(const char *conf_path, int argc, char **argv);
int verb_queue_bounce(const char *conf_path, int argc, char **argv);
int verb_queue_export(const char *conf_path, int argc, char **argv);
int verb_queue_import(const char *conf_path, int argc, char **argv);
int verb_queue_salvage(const char *conf_path, int argc, char **argv);
int verb_status(const char *conf_path, int argc, char **argv);

#endif
