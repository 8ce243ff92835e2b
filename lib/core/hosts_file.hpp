// The hosts file as a table: addresses by name.
#pragma once

#include "core/name.hpp"

#include <lbresolve/endpoint.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace lbresolve::core {

/// What hosts(5) holds, made for files of 100,000 lines as ad blockers write them: names lie in one block, addresses
/// are kept once each, and nothing is allocated per name.
///
/// Thread-safety: immutable once parsed.
class hosts_file {
 public:
  struct entry {
    std::vector<address> addresses;  ///< in file order, of all lines that have the name, without duplicates
    name canonical;                  ///< the first name on the first of these lines
  };

  /// An empty table: no hosts file.
  hosts_file() = default;

  /// Reads "address name [alias...] [# comment]" lines. A line that cannot be read is left out and counted, and so is
  /// a bad name on a good line; neither spoils the rest. "localhost" and what is below it keep to loopback addresses
  /// (RFC 6761 section 6.3): a line that says otherwise counts as bad.
  static hosts_file parse(std::string_view text);

  /// The addresses of `n`, ASCII case aside.
  std::optional<entry> find(const name& n) const;

  /// Different names in the table.
  std::size_t size() const noexcept { return names_; }

  /// Lines that were not read in full.
  std::size_t bad_lines() const noexcept { return bad_lines_; }

  /// One sentence each, with the line number, for the first `max_warnings` of them; safe to print.
  const std::vector<std::string>& warnings() const noexcept { return warnings_; }
  static constexpr std::size_t max_warnings = 16;

 private:
  /// One name on one line.
  struct mention {
    std::uint32_t key = 0;        ///< its name in lower case: an offset into wire_
    std::uint32_t canonical = 0;  ///< the line's first name as written: an offset into wire_
    std::uint32_t address = 0;    ///< an index into addresses_
    std::uint32_t next = none;    ///< the next mention of the same name
  };
  /// A name: its first and last mention.
  struct slot {
    std::uint32_t first = none;
    std::uint32_t last = none;
  };
  static constexpr std::uint32_t none = UINT32_MAX;

  struct reader;
  std::string_view wire_at(std::uint32_t offset) const noexcept;
  std::size_t position_of(std::string_view key) const noexcept;
  void add(const name& n, std::uint32_t canonical, std::uint32_t address);
  void drop_duplicates();
  void grow();

  std::string wire_;                ///< names in wire form, one after the other
  std::vector<mention> mentions_;   ///< in file order
  std::vector<slot> slots_;         ///< open addressing; empty, or a power of two in size
  std::vector<address> addresses_;  ///< each once
  std::size_t names_ = 0;
  std::size_t bad_lines_ = 0;
  std::vector<std::string> warnings_;
};

}  // namespace lbresolve::core
