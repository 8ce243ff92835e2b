# What `cmake --install` puts where, and how a consumer finds it: find_package(lbresolve), or pkg-config.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/lbresolve)

install(TARGETS lbresolve lbresolve_core EXPORT lbresolve
  ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR}
  LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}
  INCLUDES DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(DIRECTORY ${PROJECT_SOURCE_DIR}/lib/include/lbresolve DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(EXPORT lbresolve NAMESPACE lbresolve:: DESTINATION ${package_dir})
if(TARGET lbresolve_cli)
  install(TARGETS lbresolve_cli RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
  install(FILES ${PROJECT_SOURCE_DIR}/docs/lbresolve.1 DESTINATION ${CMAKE_INSTALL_MANDIR}/man1)
endif()

set(sqlite_requires "")
if(LBRESOLVE_HAS_SQLITE)
  set(sqlite_requires " sqlite3 >= 3.31")
endif()
set(nghttp2_requires "")
if(LBRESOLVE_HAS_NGHTTP2)
  set(nghttp2_requires " libnghttp2 >= 1.43")
endif()
configure_package_config_file(${CMAKE_CURRENT_LIST_DIR}/lbresolveConfig.cmake.in
  ${PROJECT_BINARY_DIR}/lbresolveConfig.cmake INSTALL_DESTINATION ${package_dir})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/lbresolveConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/lbresolveConfig.cmake ${PROJECT_BINARY_DIR}/lbresolveConfigVersion.cmake
  DESTINATION ${package_dir})

file(RELATIVE_PATH path_to_prefix /${CMAKE_INSTALL_LIBDIR}/pkgconfig /)
configure_file(${CMAKE_CURRENT_LIST_DIR}/lbresolve.pc.in ${PROJECT_BINARY_DIR}/lbresolve.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/lbresolve.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
