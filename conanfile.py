"""The Conan 2 recipe: the library alone. docs/packaging.md says what was tried with it."""

from pathlib import Path

from conan import ConanFile
from conan.tools.build import check_min_cppstd
from conan.tools.cmake import CMake, CMakeDeps, CMakeToolchain, cmake_layout
from conan.tools.files import copy, rmdir
from conan.tools.gnu import PkgConfigDeps

required_conan_version = ">=2.0"


class LbresolveConan(ConanFile):
    name = "lbresolve"
    version = "0.1.0"
    description = "The client half of DNS load balancing"
    license = "MIT"
    topics = ("dns", "resolver", "happy-eyeballs", "load-balancing", "dns-over-tls", "dns-over-https")
    package_type = "library"
    settings = "os", "arch", "compiler", "build_type"
    options = {"shared": [True, False], "fPIC": [True, False], "with_nghttp2": [True, False],
               "with_sqlite": [True, False]}
    default_options = {"shared": False, "fPIC": True, "with_nghttp2": True, "with_sqlite": True}
    implements = ["auto_shared_fpic"]
    exports_sources = "CMakeLists.txt", "LICENSE", "lib/*"

    def layout(self):
        cmake_layout(self)

    def requirements(self):
        self.requires("boost/[>=1.74 <2]", transitive_headers=True)  # Boost.Outcome, headers only
        self.requires("c-ares/[>=1.18.1 <2]")
        self.requires("openssl/[>=3 <4]")
        if self.options.with_nghttp2:
            self.requires("libnghttp2/[>=1.43 <2]")
        if self.options.with_sqlite:
            self.requires("sqlite3/[>=3.31 <4]")

    def validate(self):
        check_min_cppstd(self, 20)  # the headers too

    def generate(self):
        toolchain = CMakeToolchain(self)
        toolchain.user_presets_path = False  # the tree has presets of its own
        toolchain.cache_variables.update({
            "LBRESOLVE_BUILD_CLI": False,
            "LBRESOLVE_BUILD_TESTS": False,
            "LBRESOLVE_BUILD_EXAMPLES": False,
            "LBRESOLVE_WERROR": False,
            "LBRESOLVE_BUILD_SHARED": bool(self.options.shared),
            "LBRESOLVE_BUILD_STATIC": not self.options.shared,
            "LBRESOLVE_WITH_NGHTTP2": "ON" if self.options.with_nghttp2 else "OFF",
            "LBRESOLVE_WITH_SQLITE": "ON" if self.options.with_sqlite else "OFF",
        })
        toolchain.generate()
        CMakeDeps(self).generate()
        PkgConfigDeps(self).generate()

    def build(self):
        cmake = CMake(self)
        cmake.configure()
        cmake.build()

    def package(self):
        copy(self, "LICENSE", self.source_folder, str(Path(self.package_folder) / "licenses"))
        CMake(self).install()
        # Conan writes its own, from package_info.
        rmdir(self, str(Path(self.package_folder) / "lib" / "cmake"))
        rmdir(self, str(Path(self.package_folder) / "lib" / "pkgconfig"))

    def package_info(self):
        self.cpp_info.libs = ["lbresolve"]
        self.cpp_info.system_libs = ["pthread"]
        self.cpp_info.set_property("cmake_file_name", "lbresolve")
        self.cpp_info.set_property("cmake_target_name", "lbresolve::lbresolve")
        self.cpp_info.set_property("pkg_config_name", "lbresolve")
