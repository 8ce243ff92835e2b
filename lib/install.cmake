# What `cmake --install` puts where, and how a consumer finds it: find_package(lbresolve), or pkg-config.
# Component `runtime` is what a program needs that is linked to the shared library, `command` is the command, and
# `development` is what it takes to build programs.
include(CMakePackageConfigHelpers)

set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/lbresolve)

# One export a kind: a consumer of the shared library needs nothing of what the static one links.
foreach(kind static shared)
  if(TARGET lbresolve_${kind})
    install(TARGETS lbresolve_${kind} EXPORT lbresolve_${kind}
      ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT development
      LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT runtime NAMELINK_COMPONENT development)
    install(EXPORT lbresolve_${kind} NAMESPACE lbresolve:: FILE lbresolve-${kind}.cmake DESTINATION ${package_dir}
      COMPONENT development)
  endif()
endforeach()
install(DIRECTORY ${PROJECT_SOURCE_DIR}/lib/include/lbresolve DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}
  COMPONENT development)
if(TARGET lbresolve_cli)
  install(TARGETS lbresolve_cli RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR} COMPONENT command)
  install(FILES ${PROJECT_SOURCE_DIR}/docs/lbresolve.1 DESTINATION ${CMAKE_INSTALL_MANDIR}/man1 COMPONENT command)
  set(completions ${PROJECT_SOURCE_DIR}/cli/completions)
  install(FILES ${completions}/lbresolve.bash RENAME lbresolve COMPONENT command
    DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions)
  install(FILES ${completions}/_lbresolve COMPONENT command DESTINATION ${CMAKE_INSTALL_DATADIR}/zsh/site-functions)
  install(FILES ${completions}/lbresolve.fish COMPONENT command
    DESTINATION ${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d)
endif()

set(requires "libcares >= 1.18.1 libssl >= 3.0 libcrypto >= 3.0")
if(LBRESOLVE_HAS_SQLITE)
  string(APPEND requires " sqlite3 >= 3.31")
endif()
if(LBRESOLVE_HAS_NGHTTP2)
  string(APPEND requires " libnghttp2 >= 1.43")
endif()
configure_package_config_file(${CMAKE_CURRENT_LIST_DIR}/lbresolveConfig.cmake.in
  ${PROJECT_BINARY_DIR}/lbresolveConfig.cmake INSTALL_DESTINATION ${package_dir})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/lbresolveConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/lbresolveConfig.cmake ${PROJECT_BINARY_DIR}/lbresolveConfigVersion.cmake
  DESTINATION ${package_dir} COMPONENT development)

file(RELATIVE_PATH path_to_prefix /${CMAKE_INSTALL_LIBDIR}/pkgconfig /)
configure_file(${CMAKE_CURRENT_LIST_DIR}/lbresolve.pc.in ${PROJECT_BINARY_DIR}/lbresolve.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/lbresolve.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig COMPONENT development)
