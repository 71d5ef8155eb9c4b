# Postern's build.  `make` builds, `make test` tests; docs/ has the rest.
#
#   BUILD=DIR          where everything goes; variants live side by side
#   WOLFSSL=built      our own static build (default) | system | /prefix
#   PROFILE=small      fewer bytes instead of speed (docs/benchmarks.md)
#   SANITIZE=LIST      address,undefined | thread
#   CC=clang  WERROR=1  CFLAGS=...  PREFIX=/usr/local  DESTDIR=
#   FUZZ_TIME=60       seconds for each fuzz target
#   PUBLISH=1          what `make bench` measures goes into docs/
#   V=1                shows the commands whole

WOLFSSL  ?= built
PROFILE  ?=
SANITIZE ?=
PREFIX   ?= /usr/local
CFLAGS   ?= $(if $(SANITIZE),-O1,$(if $(PROFILE),$(SMALL),-O2)) -g
SMALL    := -Os -fno-asynchronous-unwind-tables
comma    := ,
VARIANT  := $(subst $(comma),-,$(SANITIZE:%=/%))
VARIANT  := $(PROFILE:%=/%)$(VARIANT)
VARIANT  := $(if $(filter built,$(WOLFSSL)),,/wolfssl-$(notdir $(WOLFSSL)))$(VARIANT)
BUILD    ?= build$(VARIANT)

# One wildcard per folder; the mains stay out of the archive.
MAINS := $(wildcard relay/main.c relay/lab/main.c)
SRC   := $(wildcard conf/*.c)
SRC   += $(wildcard tls/*.c)
SRC   += $(wildcard queue/*.c)
SRC   += $(wildcard relay/*.c)
SRC   += $(wildcard relay/smtp/*.c)
SRC   += $(wildcard relay/lab/*.c)
SRC   := $(sort $(filter-out $(MAINS),$(SRC)))
UNIT  := $(wildcard tests/unit/*_test.c)
AID   := $(filter-out $(UNIT),$(wildcard tests/unit/*.c))
FUZZ  := $(wildcard tests/fuzz/*.c)
LOAD  := $(wildcard tests/bench/*.c)
FILL  := $(wildcard tests/bench/fill/*.c)

obj    = $(patsubst %.c,$(BUILD)/obj/%.o,$(1))
LIB   := $(BUILD)/libpostern.a
BIN   := $(if $(filter relay/main.c,$(MAINS)),$(BUILD)/postern)
BIN   += $(if $(filter relay/lab/main.c,$(MAINS)),$(BUILD)/postern-lab)
UNITS := $(patsubst %.c,$(BUILD)/%,$(UNIT))
FUZZS := $(patsubst %.c,$(BUILD)/%,$(FUZZ))

ifeq (,$(findstring -j,$(MAKEFLAGS)))
MAKEFLAGS += -j$(shell nproc 2>/dev/null || echo 1)
endif
# One short line for each thing made, unless V=1.
say = $(if $(V),,@echo '  $(1)  $(2)' &&)
.DELETE_ON_ERROR:
.PHONY: all units fuzzers deps demo test bench bench-million fuzz crash \
	lab-matrix soak clean install
all: $(LIB) $(BIN)

# config.mk says which wolfSSL is linked.  Making it installs what is missing
# and builds the library; make then starts again and reads it.
ifneq ($(MAKECMDGOALS),clean)
include $(BUILD)/config.mk
endif

pkg = $(shell pkg-config $(1) $(2) 2>/dev/null || echo $(3))

WARN := -Wall -Wextra -Wpedantic -Wshadow -Wconversion \
	-Wstrict-prototypes -Wmissing-prototypes $(if $(WERROR),-Werror)
HARD := -fstack-protector-strong -fPIE -ffunction-sections -fdata-sections
HARD += $(if $(SANITIZE),-fsanitize=$(SANITIZE) -fno-omit-frame-pointer \
	-fno-sanitize-recover=all,-D_FORTIFY_SOURCE=2)
CPP_ALL := -I. $(WOLFSSL_CPPFLAGS) -D_GNU_SOURCE \
	$(call pkg,--cflags,lmdb libconfuse libidn2) $(CPPFLAGS)
C_ALL   := -std=c11 $(WARN) $(HARD) $(CFLAGS)
LD_ALL  := -pie -Wl,-z,relro,-z,now,--gc-sections,--as-needed \
	$(if $(SANITIZE),-fsanitize=$(SANITIZE)) $(LDFLAGS)
LIBS    := $(WOLFSSL_LIBS) -lunbound \
	$(call pkg,--libs,lmdb,-llmdb) $(call pkg,--libs,libconfuse,-lconfuse) \
	$(call pkg,--libs,libidn2,-lidn2) \
	$(call pkg,--libs,libseccomp,-lseccomp) -lm -pthread
LAB_LIBS := $(call pkg,--libs,ldns,-lldns) \
	$(call pkg,--libs,libmicrohttpd,-lmicrohttpd) \
	$(call pkg,--libs,libcrypto,-lcrypto)
CMOCKA  := $(call pkg,--libs,cmocka,-lcmocka)
# libev.a holds ev.o and event.o.  event.o exports libevent's names, which
# libunbound would then call: only ev.o is ever linked.
LIBEV    = $(shell $(CC) -print-file-name=libev.a)

# Written only when the text differs, so that what depends on it is remade
# when flags or the list of files change.
note = $(shell mkdir -p $(BUILD); echo '$(2)' | cmp -s - $(BUILD)/$(1) || \
	echo '$(2)' >$(BUILD)/$(1))
ifneq ($(MAKECMDGOALS),clean)
$(call note,wolfssl,$(WOLFSSL) $(PROFILE) $(origin CC) $(CC))
$(call note,flags,$(CC) $(CPP_ALL) $(C_ALL))
$(call note,objects,$(LD_ALL) $(LIBS) $(SRC))
endif
$(BUILD)/wolfssl $(BUILD)/flags $(BUILD)/objects: ;

$(BUILD)/config.mk: tests/deps.sh $(wildcard tls/wolfssl/*) $(BUILD)/wolfssl
	@mkdir -p $(@D)
	@tests/deps.sh build
	@CC='$(CC)' PROFILE='$(PROFILE)' tls/wolfssl/build.sh '$(WOLFSSL)' \
		>$@.new && mv $@.new $@

$(BUILD)/obj/%.o: %.c $(BUILD)/flags | $(BUILD)/config.mk
	@mkdir -p $(@D)
	$(call say,CC,$<) $(CC) $(CPP_ALL) $(C_ALL) -MMD -MP -c -o $@ $<

# The assembler takes it in.
$(BUILD)/obj/relay/lab/example.o: docs/examples/lab-tuv.conf

$(BUILD)/ev.o: $(BUILD)/config.mk
	@cd $(@D) && ar x '$(LIBEV)' ev.o && touch ev.o

$(LIB): $(call obj,$(SRC)) $(BUILD)/ev.o $(BUILD)/objects
	@rm -f $@
	$(call say,AR,$@) ar rcs $@ $(filter %.o,$^)

$(BUILD)/postern: $(BUILD)/obj/relay/main.o $(LIB)
	$(call say,LD,$@) $(CC) $(LD_ALL) -o $@ $^ $(LIBS)

$(BUILD)/postern-lab: $(BUILD)/obj/relay/lab/main.o $(LIB)
	$(call say,LD,$@) $(CC) $(LD_ALL) -o $@ $^ $(LIBS) $(LAB_LIBS)

$(UNITS): $(BUILD)/%: $(BUILD)/obj/%.o $(call obj,$(AID)) $(LIB)
	@mkdir -p $(@D)
	$(call say,LD,$@) $(CC) $(LD_ALL) -o $@ $^ $(LIBS) $(LAB_LIBS) $(CMOCKA)

$(FUZZS): $(BUILD)/%: $(BUILD)/obj/%.o $(LIB)
	@mkdir -p $(@D)
	$(call say,LD,$@) $(CC) $(LD_ALL) -fsanitize=fuzzer -o $@ $^ $(LIBS) \
		$(LAB_LIBS)

$(BUILD)/load: $(call obj,$(LOAD)) $(LIB)
	$(call say,LD,$@) $(CC) $(LD_ALL) -o $@ $^ $(LIBS)

$(BUILD)/fill: $(call obj,$(FILL)) $(LIB)
	$(call say,LD,$@) $(CC) $(LD_ALL) -o $@ $^ $(LIBS)

.SECONDARY:
-include $(patsubst %.o,%.d,$(call obj,$(MAINS) $(SRC) $(UNIT) $(AID) $(FUZZ) \
	$(LOAD) $(FILL)))

units: $(UNITS)
fuzzers: $(FUZZS)

deps:
	tests/deps.sh build
	tests/deps.sh test

test:
	tests/deps.sh test
	tests/run $(if $(filter built,$(WOLFSSL)),,--tls --wolfssl '$(WOLFSSL)') \
		$(if $(PROFILE),--tls --profile '$(PROFILE)')

ifneq (,$(wildcard tests/demo.py))
demo: all
	@tests/deps.sh demo
	POSTERN=$(BUILD)/postern POSTERN_LAB=$(BUILD)/postern-lab \
		python3 tests/demo.py
endif
ifneq (,$(wildcard tests/bench/run))
bench: all $(BUILD)/load $(BUILD)/fill
	@tests/deps.sh bench
	@$(MAKE) PROFILE=small BUILD=$(BUILD)/small $(BUILD)/small/postern
	POSTERN=$(BUILD)/postern LOAD=$(BUILD)/load FILL=$(BUILD)/fill \
		SMALL=$(BUILD)/small/postern tests/bench/run \
		$(if $(PUBLISH),--publish)
bench-million: all $(BUILD)/load $(BUILD)/fill
	POSTERN=$(BUILD)/postern LOAD=$(BUILD)/load FILL=$(BUILD)/fill \
		tests/bench/run --million
endif
ifneq (,$(FUZZ))
FUZZ_TIME ?= 60
fuzz:
	tests/run --fuzz $(FUZZ_TIME)
endif
ifneq (,$(wildcard tests/crash/*_test.py))
crash:
	tests/run --crash
endif
lab-matrix: all
	POSTERN=$(BUILD)/postern POSTERN_LAB=$(BUILD)/postern-lab \
		tests/lab_matrix.py
ifneq (,$(wildcard tests/soak/run))
soak: $(BUILD)/tests/unit/queue_space_test
	UNITS=$(BUILD)/tests/unit tests/soak/run
endif

clean:
	rm -rf build

SHARE = $(DESTDIR)$(PREFIX)/share
install: all
	install -d $(DESTDIR)$(PREFIX)/sbin
	$(if $(strip $(BIN)),install $(STRIP) $(BIN) $(DESTDIR)$(PREFIX)/sbin)
	for page in $(wildcard docs/*.[1-8] docs/man/*.[1-8]); do \
		install -D -m 644 -t $(SHARE)/man/man$${page##*.} $$page || exit; \
	done
	install -D -m 644 -t $(SHARE)/doc/postern LICENSE \
		$(wildcard README.md docs/*.md)
	install -D -m 644 -t $(SHARE)/doc/postern/examples \
		$(wildcard docs/examples/*)
