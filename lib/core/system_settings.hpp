// What the system's configuration files say, as one immutable value.
#pragma once

#include "core/hosts_file.hpp"
#include "core/resolv_conf.hpp"

namespace lbresolve::core {

struct system_settings {
  resolv_conf dns;
  hosts_file hosts;
};

}  // namespace lbresolve::core
