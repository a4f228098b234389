// Secrets: a config says where, errors say where, and nothing but read_secret() says what.
#include "pipelines/secret.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>

#include "tests/support/scoped_env.hpp"
#include "tests/support/temporary_directory.hpp"

namespace weir {
namespace {

std::string file_with(const TemporaryDirectory& directory, std::string_view text) {
  const std::string path = (directory / "secret").string();
  std::ofstream(path, std::ios::binary) << text;
  return path;
}

TEST(Secret, ATextIsAPlaceOrNothing) {
  EXPECT_EQ(parse_secret_ref("env:WEIR_TOKEN"), (SecretRef{SecretRef::From::kEnvironment, "WEIR_TOKEN"}));
  EXPECT_EQ(parse_secret_ref("file:/run/secrets/a b"), (SecretRef{SecretRef::From::kFile, "/run/secrets/a b"}));
  EXPECT_EQ(parse_secret_ref("env:WEIR_TOKEN")->text(), "env:WEIR_TOKEN");
  EXPECT_EQ(parse_secret_ref("file:x")->text(), "file:x");
  EXPECT_EQ(SecretRef().text(), "");
  for (const char* text : {"", "hunter2", "env:", "env:1A", "env:A B", "env:A=B", "file:", "ENV:A", "environment:A", " env:A"})
    EXPECT_FALSE(parse_secret_ref(text)) << text;
}

TEST(Secret, ComesFromTheEnvironment) {
  const SecretRef ref{SecretRef::From::kEnvironment, "WEIR_SECRET_TEST"};
  EXPECT_EQ(read_secret(ref, "http.token").error().what, "http.token: env:WEIR_SECRET_TEST: this environment variable is not set");
  const ScopedEnv set("WEIR_SECRET_TEST", "hunter2");
  EXPECT_EQ(*read_secret(ref, "http.token"), "hunter2");
  const ScopedEnv empty("WEIR_SECRET_TEST", "");
  EXPECT_EQ(read_secret(ref, "http.token").error().code, ErrorCode::kConfig);
}

TEST(Secret, ComesFromAFileWithoutItsLastNewline) {
  TemporaryDirectory directory;
  for (const char* text : {"hunter2", "hunter2\n", "hunter2\r\n"}) {
    const SecretRef ref{SecretRef::From::kFile, file_with(directory, text)};
    EXPECT_EQ(*read_secret(ref, "k"), "hunter2") << text;
  }
  const SecretRef spaces{SecretRef::From::kFile, file_with(directory, " a b \n")};
  EXPECT_EQ(*read_secret(spaces, "k"), " a b ");
  const SecretRef longest{SecretRef::From::kFile, file_with(directory, std::string(64 << 10, 'x') + "\n")};
  EXPECT_EQ(read_secret(longest, "k")->size(), std::size_t(64) << 10);
}

TEST(Secret, AnErrorNamesKeyAndPlaceAndNeverTheValue) {
  TemporaryDirectory directory;
  const SecretRef absent{SecretRef::From::kFile, (directory / "absent").string()};
  const auto missing = read_secret(absent, "http.token");
  EXPECT_EQ(missing.error().code, ErrorCode::kNotFound);
  EXPECT_NE(missing.error().what.find("http.token: file:" + absent.name), std::string::npos) << missing.error().what;
  const SecretRef folder{SecretRef::From::kFile, directory.path().string()};
  EXPECT_FALSE(read_secret(folder, "http.token").ok());
  for (const std::string& text : {std::string(), std::string("\n"), std::string("hunter2\nhunter3\n"), std::string("hunter2\0x", 9),
                                  std::string((64 << 10) + 1, 'h')}) {
    const SecretRef ref{SecretRef::From::kFile, file_with(directory, text)};
    const auto read = read_secret(ref, "http.token");
    ASSERT_FALSE(read.ok()) << text.substr(0, 20);
    EXPECT_EQ(read.error().code, ErrorCode::kConfig);
    EXPECT_EQ(read.error().what.find("hunter"), std::string::npos) << read.error().what;
    EXPECT_EQ(read.error().what.find("hhh"), std::string::npos);
  }
}

TEST(Secret, AFileThatEverybodyCanReadIsNamed) {
  TemporaryDirectory directory;
  const SecretRef ref{SecretRef::From::kFile, file_with(directory, "hunter2")};
  ::chmod(ref.name.c_str(), 0640);
  EXPECT_EQ(exposed(ref), std::nullopt);
  ::chmod(ref.name.c_str(), 0604);
  EXPECT_EQ(exposed(ref), "file:" + ref.name + " can be read by everybody (mode 0604)");
  EXPECT_EQ(exposed({SecretRef::From::kFile, (directory / "absent").string()}), std::nullopt);
  EXPECT_EQ(exposed({SecretRef::From::kEnvironment, "HOME"}), std::nullopt);
}

}  // namespace
}  // namespace weir
