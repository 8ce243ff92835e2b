// Standard output, with every write checked.
#pragma once

#include <string_view>

namespace lbresolve::cli {

/// Writes at once, without a buffer in between: what was said is out when the next operation starts.
class output {
 public:
  /// False once nothing more can be written: the reader has gone, or the write failed.
  bool write(std::string_view text);

  /// True where a write failed for another reason than a reader that has seen enough (`| head`).
  bool failed() const { return error_ != 0 && !reader_gone(); }
  bool reader_gone() const;

  /// The errno of the write that failed, 0 for none.
  int error() const { return error_; }

 private:
  int error_ = 0;
};

/// "lbresolve: <sentence>" to standard error, one line, made safe.
void complain(std::string_view sentence);

}  // namespace lbresolve::cli
