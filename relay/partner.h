/*
 * `postern partner`: agreements with partners on paper and as configuration.
 */
#ifndef RELAY_PARTNER_H
#define RELAY_PARTNER_H

/*
 * `partner import [--section 3|4] [--check] FORM`: argv holds what follows
 * those two words.  Prints the form's policies, for a person to read and to
 * put into the configuration; without --check conf_path is not read.  Exit
 * statuses of sysexits: EX_DATAERR when no policy can be made of the form,
 * EX_NOINPUT when it cannot be read, EX_USAGE; with --check also those of
 * `check`.
 */
int partner_import(const char *conf_path, int argc, char **argv);

/*
 * `partner certs [--json]`: what the partners' gateways presented, from the
 * spool that the configuration names.  EX_CONFIG, EX_NOINPUT, EX_USAGE.
 */
int partner_certs(const char *conf_path, int argc, char **argv);

/*
 * `partner export [--listen TITLE]`: our own side of the form, from the
 * configuration and the DNS, on standard output; what was not found, or what
 * partners will stumble over, on standard error.  EX_TEMPFAIL when the DNS
 * failed on a domain, EX_NOINPUT when a certificate could not be read.
 */
int partner_export(const char *conf_path, int argc, char **argv);

#endif
